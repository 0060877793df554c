// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds of the tracker's fuzzer anew: track_seeds FOLDER; of captures: track_seeds FOLDER CAPTURE..., and then
// those of the packet fuzzers beside, to FOLDER/../packet, one a frame.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include <pcap/pcap.h>

namespace {

constexpr std::size_t kMostBytes = 8000;  // of a seed
constexpr std::size_t kMostFrames = 64;   // of a capture, each a seed

bool save(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary);
    file << bytes;
    file.close();
    if (!file) {
        (void)std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
    }
    return static_cast<bool>(file);
}

// One step of track_fuzz.cpp.
std::string step(unsigned ends, unsigned kind, unsigned flags, unsigned time, unsigned bytes) {
    std::string out;
    for (const unsigned byte : {ends, kind, flags, time, bytes, 64U}) {
        out += static_cast<char>(byte);
    }
    return out;
}

// Kinds: protocol in the lowest two bits, the sender in the next one, a port in the upper four.
constexpr unsigned kTcp = 0;
constexpr unsigned kUdp = 1;
constexpr unsigned kReply = 4;
constexpr unsigned kNothing = 0xff;

std::string connection(unsigned ends, unsigned time) {
    return step(ends, kTcp, 0x02, time, 0) + step(ends, kTcp | kReply, 0x12, time, 0) +
           step(ends, kTcp, 0x10, time, 0) + step(ends, kTcp, 0x18, time, 200) +
           step(ends, kTcp | kReply, 0x18, time, 255);
}

std::string closing(unsigned ends) {
    return step(ends, kTcp, 0x11, 0x40, 0) + step(ends, kTcp | kReply, 0x11, 0x40, 0) +
           step(ends, kTcp, 0x10, 0x40, 0);
}

bool write_made(const std::filesystem::path& folder) {
    constexpr char kBurst1 = 0;
    constexpr char kBurst64 = 63 << 1U;
    std::string life = connection(0x12, 0x62) + closing(0x12) + connection(0x12, 0x71);
    std::string flood = connection(0x12, 0x51) + connection(0x34, 0x51);
    for (unsigned ends = 0; ends < 0xf0; ++ends) {
        flood += step(ends, kTcp, 0x02, 0x20, 0) + (ends % 8 == 0 ? connection(0x12, 0x10) : "");
    }
    std::string idle;
    for (const unsigned time : {0x81U, 0xa1U, 0xc1U, 0xf4U}) {
        idle += connection(0x56, time) + step(0x78, kUdp, 0, time, 99) +
                step(0, kNothing, 0, time, 0) + step(0x78, kUdp | kReply, 0, time, 99);
    }
    return save(folder / "a-life", kBurst1 + life) && save(folder / "bursts", kBurst64 + life) &&
           save(folder / "flood", kBurst64 + flood) && save(folder / "idle", kBurst64 + idle);
}

struct PcapClose {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};

bool write_capture(const std::filesystem::path& folder, const std::filesystem::path& capture) {
    constexpr char kFramesBurst64 = 63 << 1U | 1;
    constexpr char kLittleLater = 0x44;
    std::array<char, PCAP_ERRBUF_SIZE> message{};
    const std::unique_ptr<pcap_t, PcapClose> pcap(
        pcap_open_offline(capture.c_str(), message.data()));
    if (pcap == nullptr) {
        return true;  // broken in ways that are the pcap fuzzer's
    }
    std::string whole(1, kFramesBurst64);
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    bool ok = true;
    for (std::size_t n = 0; pcap_next_ex(pcap.get(), &header, &data) == 1 && n < kMostFrames; ++n) {
        const auto bytes = std::min<std::size_t>(header->caplen, kMostBytes / 2);
        const std::string frame(reinterpret_cast<const char*>(data), bytes);
        if (whole.size() + 3 + bytes <= kMostBytes) {
            whole += static_cast<char>(bytes & 0xffU);
            whole += static_cast<char>(bytes >> 8U);
            whole += kLittleLater + frame;
        }
        const std::string name = capture.stem().string() + "-" + std::to_string(n);
        ok = save(folder.parent_path() / "packet" / name, std::string("\0\x2e", 2) + frame) && ok;
    }
    return save(folder / capture.stem(), whole) && ok;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        (void)std::fprintf(stderr, "usage: %s FOLDER [CAPTURE...]\n", argv[0]);
        return 2;
    }
    const std::filesystem::path folder = argv[1];
    std::filesystem::create_directories(folder);
    if (argc == 2) {
        return write_made(folder) ? 0 : 1;
    }
    std::filesystem::create_directories(folder.parent_path() / "packet");
    bool ok = true;
    for (int i = 2; i < argc; ++i) {
        ok = write_capture(folder, argv[i]) && ok;
    }
    return ok ? 0 : 1;
}
