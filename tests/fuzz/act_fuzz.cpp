// SPDX-License-Identifier: BSD-3-Clause
// Frames from anyone, and what Weir writes into them or sends because of them: a packet that leaves is as valid as the one
// that came, no checksum is worse than before, nothing but what was meant has changed, and what is made anew is whole.
// The input's first byte tells how much of the frame is in its first segment, the second the DSCP and the priority.
#include "dataplane/act.h"
#include "dataplane/byte_order.h"
#include "dataplane/parse.h"
#include "dataplane/reset.h"
#include "dataplane/rewrite.h"
#include "tests/fuzz/require.h"
#include "tests/packets/invariants.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <rte_mbuf.h>

namespace {

using weir::fuzz::require;
using namespace weir::dataplane;
using Bytes = std::vector<std::uint8_t>;

struct Parsed {
    ParseResult result = ParseResult::count_;
    FlowKey key;
    PacketHeader header;

    explicit Parsed(const Bytes& frame) {
        const auto bytes = static_cast<std::uint32_t>(frame.size());
        result = parse_frame(frame.data(), std::min(bytes, kParseBytes), bytes, key, header);
    }
};

// The ones' complement sum of `bytes` bytes, modulo its two zeroes; 0 where a checksum within is right.
[[nodiscard]] std::uint32_t sum16(
    const std::uint8_t* data, std::uint32_t bytes, std::uint32_t sum = 0) {
    std::uint64_t wide = sum;
    for (std::uint32_t i = 0; i + 1 < bytes; i += 2) {
        wide += get16(data + i);
    }
    return static_cast<std::uint32_t>(wide % 0xffffU);
}

[[nodiscard]] std::uint32_t header_bytes(const std::uint8_t* ip) {
    return ip[0] >> 4U == 4 ? (ip[0] & 0x0fU) * 4U : 40U;
}

[[nodiscard]] std::uint8_t traffic_class(const std::uint8_t* ip) {
    return static_cast<std::uint8_t>(ip[0] >> 4U == 4 ? ip[1] : get16(ip) >> 4U & 0xffU);
}

// Of the header at `at` the DSCP is `dscp`, ECN and all else are as before, and an IPv4 checksum is as far from right.
void require_marked(const Bytes& before, Bytes after, std::size_t at, std::uint8_t dscp) {
    const bool v4 = before[at] >> 4U == 4;
    require(traffic_class(&after[at]) == (dscp << 2U | (traffic_class(&before[at]) & 3U)));
    if (v4) {
        const std::uint32_t bytes = header_bytes(&before[at]);
        require(sum16(&after[at], bytes) == sum16(&before[at], bytes));
        after[at + 10] = before[at + 10];
        after[at + 11] = before[at + 11];
    }
    constexpr std::uint8_t kDscpOf6 =
        0x0f;  // its upper bits in the first byte, the rest in the second
    after[at] = static_cast<std::uint8_t>(
        v4 ? after[at] : (after[at] & ~kDscpOf6) | (before[at] & kDscpOf6));
    const unsigned mask = v4 ? 0xfcU : 0xc0U;
    after[at + 1] = static_cast<std::uint8_t>((after[at + 1] & ~mask) | (before[at + 1] & mask));
    require(after == before);
}

/// A frame as an mbuf of one or two segments, each a heap block of exactly its size, so that a sanitizer sees a write
/// beyond it.
class Segments {
  public:
    Segments(const Bytes& frame, std::size_t first) : sizes_{first, frame.size() - first} {
        for (std::size_t n = 0, at = 0; n < 2; at += sizes_[n], ++n) {
            blocks_[n] = std::make_unique<std::uint8_t[]>(sizes_[n]);
            std::copy_n(frame.data() + at, sizes_[n], blocks_[n].get());
            rte_mbuf& mbuf = mbufs_[n];
            mbuf.buf_addr = blocks_[n].get();
            mbuf.buf_len = static_cast<std::uint16_t>(sizes_[n]);
            mbuf.data_len = mbuf.buf_len;
            mbuf.nb_segs = 1;
            rte_mbuf_refcnt_set(&mbuf, 1);
        }
        mbufs_[0].pkt_len = static_cast<std::uint32_t>(frame.size());
        if (sizes_[1] != 0) {
            mbufs_[0].next = &mbufs_[1];
            mbufs_[0].nb_segs = 2;
        }
    }
    [[nodiscard]] rte_mbuf* head() { return mbufs_.data(); }
    [[nodiscard]] Bytes bytes() const {
        Bytes out;
        for (std::size_t n = 0; n < 2; ++n) {
            out.insert(out.end(), blocks_[n].get(), blocks_[n].get() + sizes_[n]);
        }
        return out;
    }

  private:
    std::array<std::size_t, 2> sizes_;
    std::array<std::unique_ptr<std::uint8_t[]>, 2> blocks_;
    std::array<rte_mbuf, 2> mbufs_{};
};

// The outermost IP header, by the stage itself.
void check_act(const Bytes& frame, std::size_t first, const Parsed& parsed, std::uint8_t dscp) {
    static const auto kBatch = std::make_unique<Batch>();
    static const auto kStats = std::make_unique<WorkerStats>();
    Segments segments(frame, first);
    kBatch->size = 1;
    kBatch->mbuf[0] = segments.head();
    kBatch->parsed[0] = parsed.result;
    kBatch->header[0] = parsed.header;
    kBatch->disposition[0] = Disposition::forward;
    kBatch->dscp[0] = dscp;
    const std::uint64_t marked = kStats->marked.get();
    act(*kBatch, 0, 1, *kStats);
    const Bytes after = segments.bytes();
    require((kStats->marked.get() != marked) == (after != frame));
    const std::size_t at = parsed.header.outer_l3_offset;
    if (parsed.result != ParseResult::flow || at + header_bytes(&frame[at]) > first) {
        require(after == frame);
        return;
    }
    require_marked(frame, after, at, dscp);
    const Parsed again(after);
    require(again.result == ParseResult::flow && again.key == parsed.key);
}

void check_inner(const Bytes& frame, const Parsed& parsed, std::uint8_t dscp) {
    Bytes after = frame;
    const std::uint32_t at =
        inner_header(frame.data(), static_cast<std::uint32_t>(frame.size()), parsed.header);
    if (at == 0) {
        return;
    }
    require(at == parsed.header.l3_offset && at > parsed.header.outer_l3_offset);
    rewrite_dscp(&after[at], after[at] >> 4U, dscp);
    require_marked(frame, after, at, dscp);
    const Parsed again(after);
    require(again.result == ParseResult::flow && again.key == parsed.key);
    require(again.header.tos >> 2U == dscp && again.header.outer_tos == parsed.header.outer_tos);
}

void check_priority(const Bytes& frame, const Parsed& parsed, std::uint8_t pcp) {
    constexpr std::size_t kTci = 14;
    Bytes after = frame;
    const bool changed = rewrite_pcp(after.data(), static_cast<std::uint32_t>(after.size()), pcp);
    require(changed == (after != frame));
    if (changed) {
        require(after[kTci] >> 5U == pcp);
        const Parsed again(after);
        require(again.result == parsed.result);
        require(again.result != ParseResult::flow || again.key == parsed.key);
        after[kTci] = static_cast<std::uint8_t>((after[kTci] & 0x1fU) | (frame[kTci] & 0xe0U));
        require(after == frame);
    }
}

// What ends a connection is a whole packet of that connection, its checksums right.
void check_reset(const Bytes& frame, const Parsed& parsed, ResetTo to) {
    std::array<std::uint8_t, kResetBytes> out;
    out.fill(0xa5);
    const std::uint32_t bytes =
        build_reset(frame.data(), static_cast<std::uint32_t>(frame.size()), parsed.header, to, out);
    if (bytes == 0) {
        return;
    }
    require(bytes <= out.size());
    const Parsed reset(Bytes(out.begin(), out.begin() + bytes));
    require(reset.result == ParseResult::flow && reset.key == parsed.key);
    const PacketHeader& header = reset.header;
    require((header.tcp_flags & 0x04U) != 0 && header.payload_bytes == 0);
    require(header.l3_offset + header.ip_bytes == bytes);
    const bool same_way = header.src_is_hi == parsed.header.src_is_hi;
    const bool symmetric =
        parsed.key.addr_lo == parsed.key.addr_hi && parsed.key.port_lo == parsed.key.port_hi;
    require(symmetric || same_way == (to == ResetTo::receiver));
    const std::uint8_t* const ip = out.data() + header.l3_offset;
    const bool v4 = header.ip_version == 4;
    require(!v4 || sum16(ip, header_bytes(ip)) == 0);
    const std::uint32_t tcp_bytes = bytes - header.l4_offset;
    const std::uint32_t pseudo = sum16(ip + (v4 ? 12 : 8), v4 ? 8 : 32, 6 + tcp_bytes);
    require(sum16(out.data() + header.l4_offset, tcp_bytes, pseudo) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t kMostBytes = 4096;
    constexpr std::uint8_t kWhole = 0;
    if (size < 3 || size > kMostBytes) {
        return 0;
    }
    const std::uint8_t cut = data[0];
    const auto dscp = static_cast<std::uint8_t>(data[1] & 0x3fU);
    const auto pcp = static_cast<std::uint8_t>((data[0] ^ data[1] >> 5U) & 7U);
    const Bytes frame(data + 2, data + size);
    const Parsed parsed(frame);
    check_act(frame, cut == kWhole ? frame.size() : frame.size() * cut / 256, parsed, dscp);
    check_priority(frame, parsed, pcp);
    if (parsed.result == ParseResult::flow) {
        check_inner(frame, parsed, dscp);
        check_reset(frame, parsed, ResetTo::sender);
        check_reset(frame, parsed, ResetTo::receiver);
    }
    return 0;
}
