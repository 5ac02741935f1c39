package usbsim

import "encoding/binary"

// Descriptor types of USB 2.0, table 9-5.
const (
	descriptorDevice        = 1
	descriptorConfiguration = 2
	descriptorString        = 3
	descriptorQualifier     = 6
)

// Standard requests as bmRequestType<<8 | bRequest (USB 2.0, table 9-3).
const (
	getDeviceStatus      = 0x8000
	getInterfaceStatus   = 0x8100
	getEndpointStatus    = 0x8200
	clearDeviceFeature   = 0x0001
	clearEndpointFeature = 0x0201
	setDeviceFeature     = 0x0003
	setEndpointFeature   = 0x0203
	setAddress           = 0x0005
	getDescriptor        = 0x8006
	getConfiguration     = 0x8008
	setConfiguration     = 0x0009
	getInterface         = 0x810a
	setInterface         = 0x010b
)

// control answers a request on endpoint 0; false stalls it, which is how a device says
// that it does not know a request.
func (d *Device) control(setup [8]byte) ([]byte, bool) {
	value := binary.LittleEndian.Uint16(setup[2:])
	index := binary.LittleEndian.Uint16(setup[4:])
	length := binary.LittleEndian.Uint16(setup[6:])
	reply, ok := d.standard(uint16(setup[0])<<8|uint16(setup[1]), value, index)
	return reply[:min(int(length), len(reply))], ok
}

func (d *Device) standard(request, value, index uint16) ([]byte, bool) {
	switch request {
	case getDescriptor:
		return d.descriptor(byte(value>>8), byte(value))
	case getDeviceStatus, getInterfaceStatus:
		return []byte{0, 0}, true
	case getEndpointStatus:
		e, ok := d.endpoint(index)
		if !ok {
			return []byte{0, 0}, index == 0
		}
		return []byte{e.haltBit(), 0}, true
	case clearEndpointFeature, setEndpointFeature:
		e, ok := d.endpoint(index)
		if ok {
			e.halt(request == setEndpointFeature)
		}
		return nil, ok && value == 0 // ENDPOINT_HALT is the only one
	case getConfiguration:
		return []byte{d.config}, true
	case setConfiguration:
		if value > 1 {
			return nil, false
		}
		d.config = byte(value)
		d.in.halt(false) // USB 2.0 §9.4.7: halts do not outlive it
		d.out.halt(false)
		return nil, true
	case getInterface:
		return []byte{0}, index == 0
	case setInterface:
		d.in.halt(false)
		d.out.halt(false)
		return nil, index == 0 && value == 0
	case setAddress, clearDeviceFeature, setDeviceFeature:
		return nil, true
	}
	return nil, false
}

func (d *Device) descriptor(kind, index byte) ([]byte, bool) {
	switch kind {
	case descriptorDevice:
		return d.identity.device(), true
	case descriptorConfiguration:
		return d.identity.configuration(), index == 0
	case descriptorString:
		return d.identity.text(index)
	case descriptorQualifier:
		return d.identity.qualifier(), true
	}
	return nil, false
}

func (d *Device) endpoint(address uint16) (*endpoint, bool) {
	switch address {
	case addressIn:
		return d.in, true
	case addressOut:
		return d.out, true
	}
	return nil, false
}
