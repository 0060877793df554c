// SPDX-License-Identifier: BSD-3-Clause
// Frames from anyone: nothing is read beyond what is there, and what is said of a flow holds. The input's first byte tells
// how much of the frame is not there; the second is act_fuzz.cpp's.
#include "dataplane/features/payload.h"
#include "dataplane/parse_walk.h"
#include "tests/fuzz/require.h"
#include "tests/packets/invariants.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

namespace {

using weir::dataplane::FlowKey;
using weir::dataplane::PacketHeader;
using weir::dataplane::ParseResult;
using weir::fuzz::require;

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2 || size > 4096) {
        return 0;
    }
    const std::uint8_t missing = data[0];
    data += 2;
    const auto available = static_cast<std::uint32_t>(size - 2);
    // Usually the whole frame is there; an odd first byte stands for a frame longer than what is.
    const std::uint32_t frame_bytes =
        (missing & 1U) == 0 ? available : available + (std::uint32_t{missing} << (missing & 0x0fU));
    const Parsed parsed = parse(data, available, frame_bytes);
    if (parsed.result == ParseResult::flow) {
        check_payload(data, available, parsed.header);
    }
    return 0;
}
