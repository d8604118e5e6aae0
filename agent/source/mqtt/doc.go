// Package mqtt is the MQTT source. It subscribes at QoS 0 or 1 with a fixed client id and a session that outlives
// connections (clean session false, MQTT 3.1.1), and acknowledges a QoS 1 message only when the agent has committed it.
// With Config.Clean the session ends with the connection, as a first look wants it.
//
//	          tap                 callback                      Take               commit          Done
//	broker ──────> paho client ──────────────> bounded buffer ──────> commit loop ────────> disk ───────> acker ──> PUBACK
//	      <── TCP back pressure <── waits when the buffer is full                                (one goroutine, in order)
//
// Each connection is a new paho client without a store, without automatic acknowledgement and without
// reconnection of its own: paho does not tell whether the broker still had the session when it reconnects by
// itself, and an acknowledgement given to a client whose connection is gone is dropped there (Message.Ack writes to the
// channel of its own connection or to nothing, never to a later one). Run connects again with backoff and jitter. The tap
// is the connection that paho reads from: it buffers, shortens a PUBLISH above
// MaxMessageBytes to a sample (which is delivered as Oversized, so that a huge message cannot be redelivered for
// ever), and refuses packets that a subscriber is never sent.
//
// # Exactly once into the agent
//
// MQTT at QoS 1 delivers at least once: a message whose PUBACK got lost, or was not sent yet when a connection
// ended, comes again with the DUP flag and the same packet id. The source knows each packet id by an entry:
//
//	         PUBLISH, not a redelivery                  commit of its chunk
//	(none) ────────────────────────────> PENDING ──────────────────────────────> COMMITTED ──────> (none)
//	                                     │     ^                                 │       ^    R1, R2, R3, R4
//	                                     └─────┘                                 └───────┘
//	                              redelivery: not delivered;              redelivery: not delivered;
//	                              its new copy will be acknowledged       acknowledged at once
//
// A PUBLISH is a redelivery when it has the DUP flag and its packet id has an entry with the
// same XXH64 of topic and payload. DUP alone means nothing: the first copy of a new message may have been lost with a
// connection. Nor does an equal hash, as devices send the same bytes again and again. An entry ends, and no
// longer makes a PUBLISH a redelivery, by one of these rules:
//
//	R1 reuse    a PUBLISH with its packet id arrives that is not its redelivery: without DUP, or with other content.
//	            The broker gives an id to a new message only after it got the PUBACK of the old.
//	R2 confirm  the broker answered a request that was sent after its PUBACK on the same connection, and so has processed
//	            the PUBACK. After 1,024 acknowledgements the source sends such a barrier: an UNSUBSCRIBE from a topic that it
//	            never subscribes to. (A count of messages would not do: mosquitto 2.0.11 keeps far more than its 20 in flight once some
//	            are acknowledged late.)
//	R3 settled  a connection on which it was not redelivered brought 16 new messages after the broker answered a request
//	            of that connection. Brokers redeliver before they do either. (An entry that is still pending stays.)
//	R4 session  the broker has no session (session present = 0). All entries end; what it sends counts anew.
//
// So a guess can only be wrong when a broker gives a packet id again while the PUBACK of the old message is not confirmed,
// and the first copy of the new message is lost with a connection, and its bytes equal those of the old one.
// Brokers that number messages in sequence for as long as the session lives (mosquitto does) reuse an id after
// 65,535 messages; a little over 1,024 wait for a confirmation. A broker that begins again at 1 with each connection
// (mochi, the one inside `leat up`) can, if several connections in a row break before they settle.
//
// # What is stored
//
// Puts of a chunk carry one entry for the chunk and delete older ones, all of whose messages have ended; the set is never
// written anew. Keys begin with Config.Prefix.
//
//	"ack/" + 16 hex digits, counting up    version u8 = 1, then per QoS 1 message of the chunk: packet id u16, hash u64 (big-endian)
//	"topics"                               version u8 = 1, QoS u8, then topics, each followed by a zero byte: what the session is subscribed to
//
// Run reads them back. When the broker turns out to have no session while entries are stored, the source gives a chunk
// without messages whose Puts delete them, and subscribes only after that chunk's Done: messages of the new session
// never meet entries of the old. (Only a crash in just that moment leaves them; the rules above then end them.)
//
// # What the promise does not cover
//
// QoS 0 messages are taken once and are lost with a crash. A broker that restores an older
// state, or a publisher that sends again, sends anew, and that counts anew. So do retained messages, which
// a broker sends whenever a subscription is made: the source subscribes at its first connection and when
// topics or QoS changed or the session is new, not at every reconnect.
package mqtt
