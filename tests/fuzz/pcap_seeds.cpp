// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the pcap fuzzer anew: pcap_seeds FOLDER.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using Bytes = std::string;

struct Endian {
    bool big = false;
    void put(Bytes& out, std::uint64_t value, int bytes) const {
        for (int i = 0; i < bytes; ++i) {
            out += static_cast<char>(value >> 8 * (big ? bytes - 1 - i : i) & 0xff);
        }
    }
};

constexpr Endian kLittle{false};
constexpr Endian kNetwork{true};
constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::uint32_t kEthernet = 1;

/// 192.0.2.1:1234 → 198.51.100.2:53, UDP.
Bytes udp_frame() {
    Bytes out(12, '\x02');
    kNetwork.put(out, 0x0800, 2);
    kNetwork.put(out, 0x4500'0021, 4);
    kNetwork.put(out, 0x0001'0000, 4);
    kNetwork.put(out, 0x4011'0000, 4);
    kNetwork.put(out, 0xc000'0201, 4);
    kNetwork.put(out, 0xc633'6402, 4);
    kNetwork.put(out, 0x04d2'0035'000d'0000, 8);
    return out + "hello";
}

/// 2001:db8::1 → 2001:db8::2 in VLAN 7, TCP SYN.
Bytes tcp6_frame() {
    Bytes out(12, '\x04');
    kNetwork.put(out, 0x8100'0007, 4);
    kNetwork.put(out, 0x86dd, 2);
    kNetwork.put(out, 0x6000'0000'0014'0640, 8);
    for (const int host : {1, 2}) {
        kNetwork.put(out, 0x2001'0db8'0000'0000, 8);
        kNetwork.put(out, static_cast<std::uint64_t>(host), 8);
    }
    kNetwork.put(out, 0x1f90'0050'0000'0001, 8);
    kNetwork.put(out, 0x0000'0000'5002'ffff, 8);
    kNetwork.put(out, 0, 4);
    return out;
}

Bytes pcap(
    Endian endian, std::uint32_t magic, std::uint32_t link_type, const std::vector<Bytes>& frames) {
    Bytes out;
    endian.put(out, magic, 4);
    endian.put(out, 2, 2);
    endian.put(out, 4, 2);
    endian.put(out, 0, 8);
    endian.put(out, 65535, 4);
    endian.put(out, link_type, 4);
    std::uint32_t seconds = 1'700'000'000;
    for (const auto& frame : frames) {
        endian.put(out, seconds++, 4);
        endian.put(out, 250'000, 4);
        endian.put(out, frame.size(), 4);
        endian.put(out, frame.size(), 4);
        out += frame;
    }
    return out;
}

void add_block(Bytes& out, std::uint32_t type, Bytes body) {
    body.resize((body.size() + 3) / 4 * 4);
    kLittle.put(out, type, 4);
    kLittle.put(out, body.size() + 12, 4);
    out += body;
    kLittle.put(out, body.size() + 12, 4);
}

Bytes pcapng(const std::vector<Bytes>& frames) {
    Bytes out;
    Bytes section;
    kLittle.put(section, 0x1a2b3c4d, 4);
    kLittle.put(section, 1, 4);  // version 1.0
    kLittle.put(section, ~std::uint64_t{0}, 8);
    add_block(out, 0x0a0d0d0a, section);
    Bytes interface;
    kLittle.put(interface, kEthernet, 4);
    kLittle.put(interface, 65535, 4);
    kLittle.put(interface, 9 | 1 << 16, 4);  // if_tsresol, one byte:
    kLittle.put(interface, 9, 4);            // nanoseconds
    kLittle.put(interface, 0, 4);
    add_block(out, 1, interface);
    for (const auto& frame : frames) {
        Bytes packet;
        kLittle.put(packet, 0, 4);
        kLittle.put(packet, 0x17979cfe, 4);
        kLittle.put(packet, 0x362a0000, 4);
        kLittle.put(packet, frame.size(), 4);
        kLittle.put(packet, frame.size(), 4);
        add_block(out, 6, packet + frame);
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    const std::vector<Bytes> frames{udp_frame(), tcp6_frame()};
    const Bytes whole = pcap(kLittle, kMicroseconds, kEthernet, frames);
    const std::vector<std::pair<std::string, Bytes>> seeds{
        {"little.seed", whole},
        {"big-nano.seed", pcap(kNetwork, kNanoseconds, kEthernet, frames)},
        {"empty.seed", pcap(kLittle, kMicroseconds, kEthernet, {})},
        {"cut.seed", whole.substr(0, whole.size() - 7)},
        {"raw-ip.seed", pcap(kLittle, kMicroseconds, 101, {udp_frame().substr(14)})},
        {"two-ng.seed", pcapng(frames)}};
    for (const auto& [name, bytes] : seeds) {
        std::ofstream file(std::string(argv[1]) + "/" + name, std::ios::binary);
        if (!(file << bytes).flush()) {
            (void)std::fprintf(stderr, "%s: cannot be written\n", name.c_str());
            return 1;
        }
    }
    return 0;
}
