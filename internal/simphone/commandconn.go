package simphone

import "context"

// commandConn is the host's end of the cable to a phone that accepts commands: where one OUT
// transfer ends matters there, because nothing else ends a command.
type commandConn struct{ *conn }

// Write is one OUT transfer. An empty one says nothing.
func (c *commandConn) Write(ctx context.Context, b []byte) (int, error) {
	n, err := c.conn.Write(ctx, b)
	if n > 0 {
		c.cable.endTransfer()
	}
	return n, err
}

// endTransfer marks that the host's transfer is over: the bytes put so far are all of it.
func (c *cable) endTransfer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, c.out.Len())
	c.signal()
}

// takeOut is the phone's side: it fills p from the byte stream, across transfers. c.mu
// must be held.
func (c *cable) takeOut(p []byte) int {
	n, _ := c.out.Read(p)
	for i := range c.ends {
		c.ends[i] -= n
	}
	for len(c.ends) > 0 && c.ends[0] <= 0 {
		c.ends = c.ends[1:]
	}
	return n
}

// message is the phone's side: it takes one OUT transfer and gives its first limit bytes.
func (c *cable) message(limit int) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var message []byte
	for {
		switch {
		case c.gone:
			return nil, errUnplugged
		case c.out.Len() == 0 && len(c.ends) == 0:
			c.wait(nil)
			continue
		}
		size := c.out.Len()
		if len(c.ends) > 0 {
			size = c.ends[0]
		}
		b := make([]byte, size)
		ends := len(c.ends) > 0
		c.takeOut(b)
		message = append(message, b[:min(size, limit-len(message))]...)
		c.signal()
		if ends && len(message) > 0 {
			return message, nil
		}
	}
}

// collect is the phone's side: it fills p with data, however they were split.
func (c *cable) collect(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 {
		if c.gone {
			return errUnplugged
		}
		if c.out.Len() == 0 {
			c.wait(nil)
			continue
		}
		n := c.takeOut(p)
		p = p[n:]
		c.signal()
	}
	return nil
}
