# Two commands do everything on a fresh Debian-like machine with Go: make demo, make test.
GO      ?= go
FUZZTIME ?= 20s

.PHONY: demo test test-usb test-uboot lint build bench bench-usb fuzz setup setup-test clean install

demo: build
	./xflash demo

build: setup
	$(GO) build -trimpath -o xflash ./cmd/xflash

# Tests that try something at every place, or with very large files, are shorter under the
# race detector (-short) and run whole without it.
LONG = ./internal/restore ./internal/simphone ./cmd/xflash
test: setup-test lint build
	$(GO) test -race -short -timeout 30m ./...
	$(GO) test -timeout 30m $(LONG)
	packaging/fuzz.sh $(FUZZTIME)

# The program against simulated phones on a real USB bus, in a virtual machine.
# USBFLAGS=-v tries every fault at every place, which takes three times as long.
USBFLAGS ?= -short
test-usb: setup-test
	packaging/vm/test.sh $(USBFLAGS)

# The fastboot client against a server that is not ours: U-Boot, built from Debian's source.
test-uboot: setup-test
	packaging/uboot/test.sh

# 256 MB over that bus with xflash and with Debian's fastboot, in turn.
bench-usb: setup-test
	VM_MEMORY=4096 packaging/vm/test.sh -run '^$$' -bench Flash -benchtime 3x -v

lint:
	@files=$$(git ls-files '*.go' | xargs gofmt -l); if [ -n "$$files" ]; then echo "gofmt differs: $$files"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

bench: setup-test build
	packaging/bench.sh
	packaging/bench-unpack.sh
	packaging/bench-fastboot.sh

fuzz:
	packaging/fuzz.sh $(FUZZTIME)

setup:
	@packaging/setup.sh build

setup-test:
	@packaging/setup.sh test

clean:
	rm -rf xflash dist
