package jetstream

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"

	"github.com/leatio/leat/cloud/log"
)

// The head of an object, the last message of its subject:
//
//	magic "LOB1" | crc32c of the object u32 | size u64 | chunks u32 | id 16 bytes | the object itself, when chunks is 0
//
// Numbers are little-endian. Chunk n stands alone at subject c.<id>.<n>. The
// head is written after the chunks and replaces the head before by compare-and-set; then the chunks of that one are removed.
const (
	headMagic     = "LOB1"
	headSize      = 4 + 4 + 8 + 4 + 16
	maxChunkBytes = 4 << 20
	maxChunks     = 1 << 16
	putTries      = 16 // compare-and-set of a head against others who write the same object
	getTries      = 16 // reads of an object that is replaced meanwhile
)

type head struct {
	sequence uint64 // of the message; 0 = there is none
	crc      uint32
	size     uint64
	chunks   uint32
	id       [16]byte
	inline   []byte
}

func (h *head) append(dst []byte) []byte {
	dst = append(dst, headMagic...)
	dst = binary.LittleEndian.AppendUint32(dst, h.crc)
	dst = binary.LittleEndian.AppendUint64(dst, h.size)
	dst = binary.LittleEndian.AppendUint32(dst, h.chunks)
	dst = append(dst, h.id[:]...)
	return append(dst, h.inline...)
}

func parseHead(p []byte) (head, error) {
	var h head
	if len(p) < headSize || string(p[:4]) != headMagic {
		return h, fmt.Errorf("%w: not the head of an object", log.ErrCorrupt)
	}
	h.crc = binary.LittleEndian.Uint32(p[4:])
	h.size = binary.LittleEndian.Uint64(p[8:])
	h.chunks = binary.LittleEndian.Uint32(p[16:])
	copy(h.id[:], p[20:])
	h.inline = p[headSize:]
	if h.chunks > maxChunks || h.size > maxChunks*maxChunkBytes || h.chunks == 0 && h.size != uint64(len(h.inline)) {
		return h, fmt.Errorf("%w: the head of an object has impossible sizes", log.ErrCorrupt)
	}
	return h, nil
}

func (h *head) chunkSubject(n int) string {
	return chunkPrefix + hex.EncodeToString(h.id[:]) + "." + strconv.Itoa(n)
}

func checksum(data []byte) uint32 { return crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)) }

// PutObject writes an object; see log.Objects.
func (s *Store) PutObject(ctx context.Context, name string, data []byte) error {
	if err := s.putObject(ctx, name, data); err != nil {
		return fmt.Errorf("log: put object %q of %d bytes: %w", name, len(data), err)
	}
	return nil
}

func (s *Store) putObject(ctx context.Context, name string, data []byte) error {
	if err := log.CheckName(name); err != nil {
		return err
	}
	chunkBytes := min(maxChunkBytes, s.cfg.MaxRecordBytes)
	if len(data) > maxChunks*chunkBytes {
		return fmt.Errorf("%w: at most %d bytes are allowed", log.ErrTooLarge, maxChunks*chunkBytes)
	}
	h := head{crc: checksum(data), size: uint64(len(data))}
	if len(data) <= chunkBytes {
		h.inline = data
	} else {
		if _, err := rand.Read(h.id[:]); err != nil {
			return err
		}
		for rest := data; len(rest) > 0; h.chunks++ {
			n := min(len(rest), chunkBytes)
			if err := s.publishObject(ctx, h.chunkSubject(int(h.chunks)), rest[:n], nil); err != nil {
				return errors.Join(err, s.removeChunks(ctx, &h))
			}
			rest = rest[n:]
		}
	}
	old, err := s.replaceHead(ctx, name, &h)
	if err != nil {
		return err // the outcome may be unknown: the next opening removes the chunks if the head does not stand
	}
	return s.removeChunks(ctx, &old)
}

// replaceHead writes the head and gives the one it replaced.
func (s *Store) replaceHead(ctx context.Context, name string, h *head) (old head, err error) {
	data := h.append(nil)
	for range putTries {
		old, err = s.head(ctx, name)
		if err != nil && !errors.Is(err, log.ErrNotFound) && !errors.Is(err, log.ErrCorrupt) {
			return old, err
		}
		err = s.publishObject(ctx, headPrefix+encodeName(name), data, &old.sequence)
		if !errors.Is(err, log.ErrConflict) {
			return old, err
		}
	}
	return old, err
}

func (s *Store) publishObject(ctx context.Context, subject string, data []byte, expect *uint64) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	var opts []js.PublishOpt
	msg := &nats.Msg{Subject: subject, Data: data}
	if expect != nil {
		msg.Header = nats.Header{}
		opts = append(opts, js.WithExpectLastSequencePerSubject(*expect))
	}
	_, err := s.js.PublishMsg(ctx, msg, opts...)
	return s.translate(err)
}

// head reads the head of an object. Its sequence is set also with ErrCorrupt.
func (s *Store) head(ctx context.Context, name string) (head, error) {
	m, err := s.message(ctx, headPrefix+encodeName(name))
	if err != nil {
		return head{}, err
	}
	h, err := parseHead(m.Data)
	h.sequence = m.Sequence
	return h, err
}

func (s *Store) message(ctx context.Context, subject string) (*js.RawStreamMsg, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	m, err := s.objects.GetLastMsgForSubject(ctx, subject)
	return m, s.translate(err)
}

// GetObject reads an object; see log.Objects.
func (s *Store) GetObject(ctx context.Context, name string) ([]byte, error) {
	if err := log.CheckName(name); err != nil {
		return nil, fmt.Errorf("log: get object %q: %w", name, err)
	}
	var last uint64
	for range getTries {
		h, err := s.head(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("log: get object %q: %w", name, err)
		}
		data, err := s.body(ctx, &h)
		if err == nil {
			return data, nil
		}
		if !errors.Is(err, log.ErrNotFound) && !errors.Is(err, log.ErrCorrupt) || h.sequence == last {
			return nil, fmt.Errorf("log: get object %q: %w", name, err)
		}
		last = h.sequence // replaced meanwhile, unless the head is the same again
	}
	return nil, fmt.Errorf("log: get object %q: it was replaced %d times while it was read", name, getTries)
}

func (s *Store) body(ctx context.Context, h *head) ([]byte, error) {
	data := h.inline
	if h.chunks > 0 {
		data = make([]byte, 0, min(h.size, uint64(h.chunks)*maxChunkBytes))
		for n := range int(h.chunks) {
			m, err := s.message(ctx, h.chunkSubject(n))
			if errors.Is(err, log.ErrNotFound) {
				return nil, fmt.Errorf("%w: chunk %d of %d is missing", log.ErrCorrupt, n, h.chunks)
			}
			if err != nil {
				return nil, err
			}
			data = append(data, m.Data...)
		}
	}
	if uint64(len(data)) != h.size || checksum(data) != h.crc {
		return nil, fmt.Errorf("%w: its checksum does not match", log.ErrCorrupt)
	}
	return data, nil
}

func (s *Store) removeChunks(ctx context.Context, h *head) error {
	if h.chunks == 0 {
		return nil
	}
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	return s.translate(s.objects.Purge(ctx, js.WithPurgeSubject(chunkPrefix+hex.EncodeToString(h.id[:])+".>")))
}

// DeleteObject removes an object; see log.Objects.
func (s *Store) DeleteObject(ctx context.Context, name string) error {
	if err := s.deleteObject(ctx, name); err != nil {
		return fmt.Errorf("log: delete object %q: %w", name, err)
	}
	return nil
}

func (s *Store) deleteObject(ctx context.Context, name string) error {
	if err := log.CheckName(name); err != nil {
		return err
	}
	h, err := s.head(ctx, name)
	if errors.Is(err, log.ErrNotFound) {
		return nil
	}
	if err != nil && !errors.Is(err, log.ErrCorrupt) {
		return err
	}
	// By sequence: a head that another call writes meanwhile stays.
	bounded, cancel := s.bounded(ctx)
	defer cancel()
	if err := s.objects.DeleteMsg(bounded, h.sequence); err != nil && !errors.Is(err, js.ErrMsgNotFound) {
		return s.translate(err)
	}
	return s.removeChunks(ctx, &h)
}

// ListObjects gives the names with a prefix; see log.Objects.
func (s *Store) ListObjects(ctx context.Context, prefix string) ([]string, error) {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	names, err := s.names(ctx, s.objects, headPrefix, prefix)
	if err != nil {
		return nil, fmt.Errorf("log: list objects: %w", err)
	}
	return names, nil
}

// collectChunks removes chunks that no head names: a crash left them.
func (s *Store) collectChunks(ctx context.Context) error {
	info, err := s.objects.Info(ctx, js.WithSubjectFilter(chunkPrefix+">"))
	if err != nil {
		return s.translate(err)
	}
	orphans := map[string]bool{}
	for subject := range info.State.Subjects {
		id, _, _ := strings.Cut(strings.TrimPrefix(subject, chunkPrefix), ".")
		orphans[id] = true
	}
	if len(orphans) == 0 {
		return nil
	}
	names, err := s.names(ctx, s.objects, headPrefix, "")
	if err != nil {
		return err
	}
	for _, name := range names {
		h, err := s.head(ctx, name)
		if errors.Is(err, log.ErrCorrupt) {
			return nil // whose chunks are whose is not known: remove none
		}
		if err != nil {
			return err
		}
		delete(orphans, hex.EncodeToString(h.id[:]))
	}
	for id := range orphans {
		if err := s.objects.Purge(ctx, js.WithPurgeSubject(chunkPrefix+id+".>")); err != nil {
			return s.translate(err)
		}
		s.cfg.Logger.Info("jetstream: removed the rest of an unfinished object", "id", id)
	}
	return nil
}
