package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
)

// relayMode is the argument with which this program is a relay by grpc-go: it listens on a socket and passes all calls on.
const relayMode = "relay-by-grpc-go"

// untouched leaves messages as they are.
type untouched struct{}

func (untouched) Name() string { return "proto" }

func (untouched) Marshal(v any) (mem.BufferSlice, error) { return *v.(*mem.BufferSlice), nil }

func (untouched) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref()
	*v.(*mem.BufferSlice) = data
	return nil
}

// serveRelay passes calls on until the process is ended.
func serveRelay(socket, address string) error {
	up, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(untouched{})))
	if err != nil {
		return err
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	return grpc.NewServer(grpc.ForceServerCodecV2(untouched{}), grpc.UnknownServiceHandler(func(_ any, down grpc.ServerStream) error {
		return passOn(up, down)
	})).Serve(l)
}

func passOn(up *grpc.ClientConn, down grpc.ServerStream) error {
	method, ok := grpc.MethodFromServerStream(down)
	if !ok {
		return fmt.Errorf("a call without a method")
	}
	md, _ := metadata.FromIncomingContext(down.Context()) // Without any there is nothing to pass on.
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(down.Context(), md))
	defer cancel()
	stream, err := up.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return err
	}
	go func() {
		// What goes wrong with a request ends the response too.
		for copyMessage(stream.SendMsg, down.RecvMsg) == nil {
		}
		_ = stream.CloseSend()
	}()
	for {
		switch err := copyMessage(down.SendMsg, stream.RecvMsg); err {
		case nil:
		case io.EOF:
			down.SetTrailer(stream.Trailer())
			return nil
		default:
			return err
		}
	}
}

func copyMessage(send, receive func(any) error) error {
	var message mem.BufferSlice
	if err := receive(&message); err != nil {
		return err
	}
	err := send(&message)
	message.Free()
	return err
}
