# Two commands do everything on a fresh Debian-like machine with Go: make demo, make test.
GO      ?= go
FUZZTIME ?= 10s

.PHONY: install deb dist test-deb test-install demo check test test-all test-concurrent test-rest test-long test-race test-usb test-uboot lint build bench bench-usb fuzz setup setup-test clean

demo: build
	./xflash demo

VERSION := $(shell packaging/version.sh)
COMMIT  := $(shell git -c safe.directory='*' rev-parse HEAD 2>/dev/null)
STAMP    = -X main.version=$(VERSION) -X main.commit=$(COMMIT)
# A commit gives the same bytes in every folder.
RELEASE  = -trimpath -buildmode=pie -buildvcs=false -ldflags "-s -w -buildid= $(STAMP)"

build: setup
	$(GO) build -trimpath -buildvcs=false -ldflags "$(STAMP)" -o xflash ./cmd/xflash

# Under sudo nothing is compiled again when make has just built it.
xflash: $(shell find cmd usbproto fastboot sin ftf internal go.mod -type f ! -name '*_test.go' ! -path '*/testdata/*')
	$(MAKE) build

# make install, or make install DESTDIR=/tmp/stage PREFIX=/usr
PREFIX ?= /usr/local
install: xflash
	packaging/install-files.sh ./xflash "$(DESTDIR)" "$(PREFIX)"
	@echo "Installed in $(DESTDIR)$(PREFIX). The udev rule works from there if PREFIX is /usr; otherwise: sudo xflash udev --install"

# A Debian package and a tarball for this machine in dist/, with checksums and the list of
# modules. ARCH=arm64 builds for that machine with Debian's cross compiler.
ARCH ?= $(shell $(GO) env GOARCH)
deb dist: setup
	packaging/dist.sh $@ "$(VERSION)" "$(ARCH)" $(RELEASE)

# The package: lintian, the same bytes from two folders; installed, used and purged on fresh
# systems. SUITES chooses among bookworm, trixie and noble.
test-deb:
	packaging/test/package.sh $(SUITES)

# The section "Install" of README, followed by a new user of each of them.
test-install:
	packaging/test/install.sh $(SUITES)

# Three layers by time; on two cores with a warm cache the first two take about two and seven
# minutes:
#   make check      lint and unit tests: before every commit
#   make test       everything a change can break: what README names
#   make test-all   long runs, fuzzing, the virtual machine, U-Boot: CI runs most of it
# gotestsum names each skipped test with its reason and counts them at the end; CI does not let
# one pass that was skipped for a missing tool.
TOOL    = $(GO) tool -modfile=packaging/tools/go.mod
# Many tests wait for a simulated phone, so more of them run at a time than there are cores.
GOTEST  = $(TOOL) gotestsum --format pkgname-and-test-fails --format-icons text -- -timeout 45m -p 3 -parallel 4
# What runs in several goroutines is tested under the race detector; the program itself, whose
# tests start many processes, only by test-all.
RACE    = ./usbproto/... ./fastboot ./internal/restore ./internal/simphone
# The longest first. Tests that try something at every place, or with very large files, try
# less with -short.
OTHERS  = ./cmd/xflash $$($(GO) list ./... | grep -vxF "$$($(GO) list $(RACE))")

check: setup-test lint
	$(GOTEST) -short ./internal/restore ./internal/simphone $$($(GO) list ./... | grep -v /cmd/) # the longest first

# Restores wait for one another in a phone and a program, so a second core has time to spare.
test: setup-test lint build
	@$(MAKE) --no-print-directory -j2 test-concurrent test-rest

test-concurrent:
	$(GOTEST) -race -short $(RACE)

test-rest:
	$(GOTEST) -short $(OTHERS)

test-all: test test-long test-race fuzz
	$(MAKE) test-uboot
	$(MAKE) test-usb
	$(MAKE) test-deb
	$(MAKE) test-install

test-long: setup-test
	$(GOTEST) ./internal/restore ./cmd/xflash ./...

# The program under the race detector.
test-race: setup-test
	$(GOTEST) -race -short ./cmd/xflash

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
	$(TOOL) staticcheck ./...
	CGO_ENABLED=0 $(GO) vet $$($(GO) list ./... | grep -vE '/(libusb|vmtest|fixture)$$|/cmd/xflash$$')
	$(GO) test ./internal/walls

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
