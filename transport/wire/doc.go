// Package wire holds the bytes between an agent and a cloud node: the frame,
// and the control messages around it. docs/format/frame.md draws them.
//
//	frame = header payload
//
//	header  magic "LF" | version | flags | header length (2, little-endian)
//	        epoch | pipeline id | pipeline version | lane | from | to-from | watermark | rows | payload length   (varints)
//	        checksum of the frame before (4) | CRC32C of the payload (4) | CRC32C of the header so far (4)
//
// The header's CRC covers the payload's CRC and the checksum of the frame
// before, so it stands for the frame and for the whole lane before it: it is
// the frame's checksum.
//
// Control messages are the protobuf messages of control.proto, each behind its
// length (ReadMessage, AppendMessage).
//
// The agent stores frames in its outbox in exactly these bytes. The agent's id
// is not among them: it comes from the certificate of the session.
package wire

//go:generate go run github.com/leatio/leat/internal/pb/pbgen control.proto
