package frames

import (
	"errors"
	"time"

	"golang.org/x/net/http2"
)

func (c *Conn) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.flood.idle(time.Now())
	}
	if f.NumSettings() > maxSettings {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	first := !c.greeted
	c.greeted = true
	c.mu.Lock()
	err := c.flood.idle(time.Now())
	if err == nil {
		err = f.ForeachSetting(c.setting)
	}
	if err == nil {
		c.out = appendSettingsAck(c.out)
		c.fill()
		c.kick()
	}
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if first && c.o.Ready != nil {
		c.o.Ready()
	}
	c.room()
	return nil
}

// maxSettings is how many one frame may have: six are known.
const maxSettings = 64

// setting heeds one setting of the peer. The lock is held.
func (c *Conn) setting(s http2.Setting) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case http2.SettingInitialWindowSize:
		return c.setInitialWindow(int64(s.Val))
	case http2.SettingMaxConcurrentStreams:
		c.peerStreams = int(min(s.Val, maxWindow))
	case http2.SettingMaxFrameSize:
		c.peerFrame = int(s.Val)
	case http2.SettingHeaderTableSize:
		c.encoder.SetMaxDynamicTableSizeLimit(min(s.Val, tableSize))
	}
	return nil
}

// setInitialWindow changes the windows of all streams by as much as the first one changes.
func (c *Conn) setInitialWindow(size int64) error {
	by := size - c.initialWindow
	c.initialWindow = size
	for _, s := range c.all() {
		if s.sendWindow += by; s.sendWindow > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		s.list()
	}
	return nil
}

func (c *Conn) windowUpdate(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	by := int64(f.Increment)
	if f.StreamID == 0 {
		defer c.mu.Unlock()
		if c.sendWindow += by; c.sendWindow > maxWindow {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		c.unblock()
		c.fill()
		c.kick()
		return nil
	}
	s := c.streams[f.StreamID]
	if s == nil {
		defer c.mu.Unlock()
		return c.unknown(f.StreamID)
	}
	if s.sendWindow += by; s.sendWindow > maxWindow {
		c.mu.Unlock()
		c.wrong(s, http2.ErrCodeFlowControl, errors.New("the peer's window is larger than there is"))
		return nil
	}
	s.list()
	c.fill()
	c.kick()
	c.mu.Unlock()
	return nil
}
