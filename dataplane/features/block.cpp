// SPDX-License-Identifier: BSD-3-Clause
// A block's codes: the widest lanes there are, and bytes transposed between columns and rows.
#include "dataplane/features/catalog_table.h"
#include "dataplane/features/encoders.h"
#include "dataplane/features/features.h"
#include "dataplane/features/lanes.h"
#include "kernels/isa.h"

#include <algorithm>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace weir::dataplane {

namespace {

constexpr std::size_t kSide = 16;

// 16 vectors of 16 bytes in, the transpose out.
using Square = std::array<const std::uint8_t*, kSide>;

#if defined(__SSE2__)
// Row r of the transpose to out + r · pitch, the first `rows` of them. Four rounds of interleaving halves: each moves
// one bit of the row's number into the column's.
void transpose_to(
    const Square& in, std::uint8_t* out, std::size_t pitch, std::size_t rows) noexcept {
    __m128i v[kSide];
    __m128i next[kSide];
    for (std::size_t i = 0; i < kSide; ++i) {
        v[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in[i]));
    }
    for (int round = 0; round < 4; ++round) {
        for (std::size_t i = 0; i < kSide / 2; ++i) {
            next[2 * i] = _mm_unpacklo_epi8(v[i], v[i + kSide / 2]);
            next[2 * i + 1] = _mm_unpackhi_epi8(v[i], v[i + kSide / 2]);
        }
        std::copy_n(next, kSide, v);
    }
    for (std::size_t r = 0; r < rows; ++r) {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + r * pitch), v[r]);
    }
}
#else
void transpose_to(
    const Square& in, std::uint8_t* out, std::size_t pitch, std::size_t rows) noexcept {
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t k = 0; k < kSide; ++k) {
            out[r * pitch + k] = in[k][r];
        }
    }
}
#endif

// The flows hold the sequence's codes: columns from rows.
void sequence_codes(FeatureBlock& block) noexcept {
    constexpr std::uint32_t kLengths = feature_id("seq_length_01_bytes");
    constexpr std::uint32_t kGaps = feature_id("seq_gap_02_us");
    static_assert(feature_id("seq_length_16_bytes") == kLengths + kSequenceLength - 1);
    static_assert(feature_id("seq_gap_16_us") == kGaps + kSequenceLength - 2);
    static_assert(kSequenceLength == kSide);
    constexpr std::size_t kPitch = FeatureBlock::kRows;
    for (std::size_t row = 0; row < block.rows; row += kSide) {
        Square lengths{};
        Square gaps{};
        for (std::size_t i = 0; i < kSide; ++i) {
            lengths[i] = block.measures.seq_length[row + i].data();
            gaps[i] = block.measures.seq_gap[row + i].data();
        }
        transpose_to(gaps, block.codes[kGaps].data() + row, kPitch, kSequenceLength - 1);
        transpose_to(lengths, block.codes[kLengths].data() + row, kPitch, kSide);
        for (std::uint32_t i = 0; i < kSide; ++i) {
            std::uint8_t* const column = block.codes[kLengths + i].data() + row;
            for (std::size_t r = 0; r < kSide; ++r) {
                column[r] = sequence_length_code(column[r]);
            }
        }
    }
}

// So do the payload's.
void payload_codes(FeatureBlock& block) noexcept {
    constexpr std::uint32_t kFirst = feature_id("payload_fwd_first_bytes");
    static_assert(kPayloadFeatures >= kSide);
    for (std::size_t k = 0; k < kPayloadFeatures; k += kSide) {
        k = std::min(k, kPayloadFeatures - kSide);  // the last square may overlap the one before
        Square states{};
        for (std::size_t i = 0; i < kSide; ++i) {
            states[i] = block.measures.payload_codes[i].data() + k;
        }
        transpose_to(states, block.codes[kFirst + k].data(), FeatureBlock::kRows, kSide);
    }
}

void port_codes(FeatureBlock& block) noexcept {
    constexpr std::array<std::uint32_t, 2> kPortIds{
        feature_id("initiator_port"), feature_id("responder_port")};
    for (std::size_t end = 0; end < 2; ++end) {
        for (std::size_t row = 0; row < block.rows; ++row) {
            block.codes[kPortIds[end]][row] = kPortCodes[block.measures.port[end][row]];
        }
    }
}

[[nodiscard]] LanesFunction best_lanes() noexcept {
    return kernels::isa_supported(kernels::Isa::avx512) ? lanes_avx512 : lanes_scalar;
}

[[nodiscard]] UpdateFunction best_update() noexcept {
    return kernels::isa_supported(kernels::Isa::avx512) ? update_flows_avx512 : update_flows_scalar;
}

}  // namespace

void compute_block(std::uint32_t groups, FeatureBlock& block, bool scalar) noexcept {
    static const LanesFunction best = best_lanes();
    (scalar ? lanes_scalar : best)(groups, block.measures, block.rows, block.codes[0].data());
    if (has_group(groups, FeatureGroup::packet)) {
        port_codes(block);
    }
    if (has_group(groups, FeatureGroup::sequence)) {
        sequence_codes(block);
    }
    if (has_group(groups, FeatureGroup::payload)) {
        payload_codes(block);
    }
}

void update_flows(
    std::uint32_t groups, FlowPackets& packets, Measures& measures, bool scalar) noexcept {
    static const UpdateFunction best = best_update();
    (scalar ? update_flows_scalar : best)(groups, packets, measures);
}

void gather_rows(
    const FeatureBlock& block,
    std::span<const std::uint16_t> features,
    std::uint8_t* out) noexcept {
    const std::size_t stride = features.size();
    if (stride < kSide) {
        for (std::size_t row = 0; row < block.rows; ++row) {
            for (std::size_t k = 0; k < stride; ++k) {
                out[row * stride + k] = block.codes[features[k]][row];
            }
        }
        return;
    }
    for (std::size_t k = 0; k < stride; k += kSide) {
        k = std::min(k, stride - kSide);  // the last square may overlap the one before
        for (std::size_t row = 0; row < block.rows; row += kSide) {
            Square columns{};
            for (std::size_t i = 0; i < kSide; ++i) {
                columns[i] = block.codes[features[k + i]].data() + row;
            }
            const std::size_t rows = std::min<std::size_t>(kSide, block.rows - row);
            transpose_to(columns, out + row * stride + k, stride, rows);
        }
    }
}

}  // namespace weir::dataplane
