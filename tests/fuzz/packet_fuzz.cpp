// SPDX-License-Identifier: BSD-3-Clause
// Frames from anyone: nothing is read beyond what is there, what is said of a flow holds, and marking changes the mark
// and nothing else. The input's first two bytes tell how much of the frame is there and how much is not.
#include "dataplane/act.h"
#include "dataplane/features/payload.h"
#include "dataplane/parse_walk.h"
#include "tests/packets/invariants.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <vector>

namespace {

using weir::dataplane::FlowKey;
using weir::dataplane::PacketHeader;
using weir::dataplane::ParseResult;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

struct Parsed {
    ParseResult result = ParseResult::count_;
    FlowKey key;
    PacketHeader header;
};

// From a heap block of exactly `available` bytes, so that a sanitizer sees a read beyond; by both of parse's ways.
Parsed parse(const std::uint8_t* data, std::uint32_t available, std::uint32_t frame_bytes) {
    const auto copy = std::make_unique<std::uint8_t[]>(available);
    std::copy_n(data, available, copy.get());
    Parsed parsed;
    parsed.result =
        weir::dataplane::parse_frame(copy.get(), available, frame_bytes, parsed.key, parsed.header);
    Parsed walked;
    walked.result =
        weir::dataplane::walk_frame(copy.get(), available, frame_bytes, walked.key, walked.header);
    require(parsed.result == walked.result);
    require(weir::test::facts(parsed.header) == weir::test::facts(walked.header));
    require(parsed.header.frame_bytes == frame_bytes);
    if (parsed.result == ParseResult::flow) {
        require(parsed.key == walked.key);
        require(
            weir::test::broken_flow(copy.get(), available, parsed.key, parsed.header) == nullptr);
    }
    return parsed;
}

// How far the checksum of the IPv4 header at `ip` is from right, modulo the two zeroes of one's complement.
std::uint32_t checksum_error(const std::uint8_t* ip) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < (ip[0] & 0x0fU) * 4U; i += 2) {
        sum += static_cast<std::uint32_t>(ip[i] << 8U | ip[i + 1]);
    }
    return sum % 0xffffU;
}

// The frame with these bytes taken as they were before.
void restore(
    std::vector<std::uint8_t>& frame,
    const std::vector<std::uint8_t>& before,
    std::initializer_list<std::size_t> places) {
    for (const std::size_t at : places) {
        frame[at] = before[at];
    }
}

// The payload that the header tells of, as much of it as is there, from a block of exactly that size; twice, so that the
// comparison with the packet before runs.
void check_payload(const std::uint8_t* data, std::uint32_t available, const PacketHeader& header) {
    using namespace weir::dataplane;
    require(header.l3_offset + header.ip_bytes >= header.payload_bytes);
    const std::uint32_t begin = header.l3_offset + header.ip_bytes - header.payload_bytes;
    require(begin + header.payload_bytes <= header.frame_bytes);
    const std::uint32_t readable = std::min(
        {header.payload_bytes,
         PayloadView::kMostReadable,
         available > begin ? available - begin : 0});
    const auto copy = std::make_unique<std::uint8_t[]>(readable);
    std::copy_n(data + std::min(begin, available), readable, copy.get());
    PayloadState state;
    Flow flow{};
    for (std::uint8_t packet = 1; packet <= 2; ++packet) {
        flow.packets[0] = packet;
        flow.payload_packets[0] = packet;
        const PayloadView view{copy.get(), readable, header.payload_bytes};
        if (wants_payload(flow, header, true)) {
            update_payload(state, flow, header, true, view);
        }
    }
    const PayloadState kept = state;
    FeatureRow row{};
    compute_payload(payload_of(kept, flow), row);
}

void check_marking(
    const std::uint8_t* data, std::uint32_t available, const Parsed& parsed, std::uint8_t dscp) {
    const std::vector<std::uint8_t> before(data, data + available);
    std::vector<std::uint8_t> after = before;
    const std::size_t at = parsed.header.outer_l3_offset;
    const std::uint8_t version = before[at] >> 4U;
    const std::size_t header_bytes = version == 4 ? (before[at] & 0x0fU) * 4U : 40U;
    if (at + header_bytes > available) {
        return;
    }
    const bool changed = weir::dataplane::rewrite_dscp(after.data() + at, version, dscp);
    require(changed == (after != before));
    require(changed == (parsed.header.outer_tos >> 2U != dscp));
    const Parsed again = parse(after.data(), available, parsed.header.frame_bytes);
    require(again.result == ParseResult::flow && again.key == parsed.key);
    require(again.header.outer_tos == (dscp << 2U | (parsed.header.outer_tos & 3U)));
    if (version == 4) {
        require(checksum_error(after.data() + at) == checksum_error(before.data() + at));
        restore(after, before, {at + 1, at + 10, at + 11});
    } else {
        after[at + 1] =
            static_cast<std::uint8_t>((after[at + 1] & 0x3fU) | (before[at + 1] & 0xc0U));
        restore(after, before, {at});
    }
    require(after == before);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 4096) {
        return 0;
    }
    const std::uint8_t missing = data[0];
    const std::uint8_t dscp = data[1] & 0x3fU;
    data += 2;
    const auto available = static_cast<std::uint32_t>(size - 2);
    // Usually the whole frame is there; an odd first byte stands for a frame longer than what is.
    const std::uint32_t frame_bytes =
        (missing & 1U) == 0 ? available : available + (std::uint32_t{missing} << (missing & 0x0fU));
    const Parsed parsed = parse(data, available, frame_bytes);
    if (parsed.result == ParseResult::flow) {
        check_marking(data, available, parsed, dscp);
        check_payload(data, available, parsed.header);
    }
    return 0;
}
