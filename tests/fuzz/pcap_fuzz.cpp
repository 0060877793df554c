// SPDX-License-Identifier: BSD-3-Clause
// A capture file from anyone: never a crash, a refusal that names the file and why, and what is accepted reads a
// second time as it did the first, packet for packet, each of which the parser takes.
#include "dataplane/parse.h"
#include "dataplane/replay.h"
#include "tests/fuzz/require.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/mman.h>

#include <pcap/pcap.h>
#include <unistd.h>

namespace {

using weir::fuzz::require;
using namespace weir::dataplane;

constexpr std::size_t kMaxInputBytes = std::size_t{1} << 18;
constexpr std::uint64_t kMaxParsed = 4096;

/// A file in memory, by a path that anybody in this process can open.
class MemoryFile {
  public:
    MemoryFile(const std::uint8_t* data, std::size_t size)
        : fd_(::memfd_create("weir-fuzz-pcap", MFD_CLOEXEC)) {
        require(fd_ >= 0);
        require(::write(fd_, data, size) == static_cast<ssize_t>(size));
    }
    ~MemoryFile() { ::close(fd_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  private:
    int fd_;
};

struct PcapClose {
    void operator()(pcap_t* pcap) const noexcept { pcap_close(pcap); }
};

/// Any frame: a result, bounded offsets, and the same again.
void parse_one(const std::uint8_t* data, std::uint32_t available, std::uint32_t frame_bytes) {
    // A copy of just what is available, so that a sanitizer sees a read past it.
    const std::vector<std::uint8_t> frame(data, data + available);
    FlowKey key{};
    PacketHeader header{};
    const auto result = parse_frame(frame.data(), available, frame_bytes, key, header);
    require(result < ParseResult::count_ && header.frame_bytes == frame_bytes);
    if (result == ParseResult::flow) {
        require(header.ip_version == 4 || header.ip_version == 6);
        require(header.outer_l3_offset <= header.l3_offset);
        require(header.l3_offset + (header.ip_version == 4 ? 20U : 40U) <= available);
        require(header.l4_offset == 0 || header.l4_offset <= available);
        require(header.payload_bytes <= header.ip_bytes);
        require(!header.later_fragment || header.fragment);
    }
    FlowKey again_key{};
    PacketHeader again{};
    require(parse_frame(frame.data(), available, frame_bytes, again_key, again) == result);
    require(again.l3_offset == header.l3_offset && again.payload_bytes == header.payload_bytes);
}

void read_again(const std::string& path, const CaptureInfo& info) {
    char message[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, PcapClose> pcap(
        pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, message));
    require(pcap != nullptr);
    CaptureInfo again;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    while (pcap_next_ex(pcap.get(), &header, &data) == 1) {
        ++again.packets;
        again.bytes += header->caplen;
        if (again.packets <= kMaxParsed) {
            // As replay meets it: what was captured is the frame, and of a long one the parser sees the head.
            parse_one(data, std::min(header->caplen, kParseBytes), header->caplen);
        }
    }
    require(again.packets == info.packets && again.bytes == info.bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > kMaxInputBytes) {
        return 0;
    }
    const MemoryFile file(data, size);
    const auto info = scan_capture(file.path());
    if (!info) {
        const auto& error = info.error();
        require(error.where == file.path() && !error.what.empty() && !error.fix.empty());
        for (const char c : error.line()) {
            require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
        }
        return 0;
    }
    require(info->bytes <= size && info->packets <= size);
    require(info->packets != 0 || (info->bytes == 0 && info->first_ns == 0 && info->last_ns == 0));
    read_again(file.path(), *info);
    return 0;
}
