package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/auth"
	"github.com/mochi-mqtt/server/v2/listeners"
)

const (
	maxIdleMiB  = 20
	settle      = 10 * time.Second // an idle agent's memory is read after it
	warmUp      = 2000             // messages, for the second reading
	warmUpEvery = time.Millisecond
)

// memory starts a broker, a cloud node and an agent with the greenhouse
// example and reads the agent's resident memory when nothing happens: before its first message, and after some.
func (b *bench) memory() (err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	broker := mochi.New(&mochi.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := errors.Join(broker.AddHook(new(auth.AllowHook), nil), broker.AddListener(listeners.NewNet("l", l)), broker.Serve()); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.Close()) }()
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	s, err := b.newSite(ctx, "memory")
	if err != nil {
		return err
	}
	defer s.close()
	addr := "tcp://" + l.Addr().String()
	if err := s.apply(ctx, addr, 1); err != nil {
		return err
	}
	fresh, err := s.idle(ctx)
	if err != nil {
		return err
	}
	if _, err := publish(ctx, addr, 1, warmUp, warmUpEvery, 1); err != nil {
		return err
	}
	if err := s.received(ctx, warmUp); err != nil {
		return err
	}
	worked, err := s.idle(ctx)
	if err != nil {
		return err
	}
	b.report.most("agent, idle, one C function: resident", "MiB", maxIdleMiB, fresh)
	b.report.add("agent, idle again after 2,000 messages: resident", "MiB", worked)
	return nil
}

// idle lets the agent settle and reads its memory.
func (s *site) idle(ctx context.Context) (float64, error) {
	select {
	case <-time.After(settle):
		return s.agent.residentMiB()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
