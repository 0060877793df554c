// SPDX-License-Identifier: BSD-3-Clause
// A variant of any family against its reference: page-guarded buffers, scratch full of junk, every output equal.
#pragma once

#include "kernels/classifier.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/mlp_cases.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace weir::testing {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr std::uint32_t kManyRows = 50'000;
inline constexpr int kManySpecs = 60;
#else
inline constexpr std::uint32_t kManyRows = 1'000'000;
inline constexpr int kManySpecs = 400;
#endif

/// Rows of the widest block of any variant.
inline constexpr std::uint32_t kWidestBlock = 64;

struct Layout {
    std::size_t padding = 0;  ///< stride − inputs
    std::size_t offset = 0;   ///< of rows and outputs from their natural alignment
    bool guard_end = true;    ///< the forbidden page stands behind (true) or before each buffer
};

inline std::string isa_param_name(const ::testing::TestParamInfo<kernels::Isa>& info) {
    return std::string(kernels::isa_name(info.param));
}

class VariantFixture : public ::testing::TestWithParam<kernels::Isa> {
  protected:
    void SetUp() override {
        if (!kernels::isa_supported(GetParam())) {
            GTEST_SKIP() << "this CPU lacks " << kernels::isa_name(GetParam());
        }
    }

    /// The parameter's variant and the reference of one network.
    struct Pair {
        std::unique_ptr<kernels::Classifier> fast;
        std::unique_ptr<kernels::Classifier> reference;
    };

    Pair pair(const kernels::Network& network) {
        auto fast = kernels::make_classifier(network, GetParam());
        EXPECT_TRUE(fast) << fast.error().line();
        EXPECT_EQ(fast.value()->isa(), GetParam());
        auto reference = kernels::make_classifier(network, kernels::Isa::scalar);
        EXPECT_TRUE(reference);
        return {std::move(*fast), std::move(*reference)};
    }

    /// Scores n rows in page-guarded buffers by both.
    void expect_equal(const Pair& pair, std::uint32_t n, Values values, const Layout& layout = {}) {
        const kernels::Classifier& fast = *pair.fast;
        ASSERT_EQ(fast.inputs(), pair.reference->inputs());
        ASSERT_EQ(fast.outputs(), pair.reference->outputs());
        const std::size_t stride = fast.inputs() + layout.padding;
        const std::size_t bytes = n == 0 ? 0 : (n - 1) * stride + fast.inputs();
        const std::size_t outputs = std::size_t{n} * fast.outputs();
        const bool end = layout.guard_end;
        const std::size_t out_offset = layout.offset / alignof(std::int32_t) * sizeof(std::int32_t);
        const GuardedBuffer row_buffer(bytes + layout.offset, end);
        const GuardedBuffer out_buffer(outputs * sizeof(std::int32_t) + out_offset, end);
        const GuardedBuffer scratch((fast.scratch_bytes() + 63) / 64 * 64, end);
        auto* rows = row_buffer.as<std::uint8_t>() + layout.offset;
        std::generate_n(rows, bytes, [&] { return make_code(values, random_); });
        std::fill_n(
            scratch.as<std::uint8_t>(),
            fast.scratch_bytes(),
            static_cast<std::uint8_t>(random_()));  // what a call left there must not matter

        auto* out = out_buffer.as<std::int32_t>() + out_offset / sizeof(std::int32_t);
        fast.score(rows, stride, n, out, scratch.as<std::byte>());
        std::vector<std::int32_t> want(outputs);
        const GuardedBuffer own((pair.reference->scratch_bytes() + 63) / 64 * 64, end);
        pair.reference->score(rows, stride, n, want.data(), own.as<std::byte>());
        for (std::size_t i = 0; i < outputs; ++i) {
            ASSERT_EQ(out[i], want[i])
                << "n " << n << " row " << i / fast.outputs() << " output " << i % fast.outputs()
                << " of " << fast.inputs() << "→" << fast.outputs();
        }
    }

    void expect_equal_for_every_length(const Pair& pair, Values values) {
        for (std::uint32_t n = 0; n <= 3 * kWidestBlock + 1; ++n) {
            expect_equal(pair, n, values);
            expect_equal(pair, n, values, {.guard_end = false});
        }
        for (const std::uint32_t n : {kernels::kMaxRows - 1, kernels::kMaxRows}) {
            expect_equal(pair, n, values);
        }
    }

    void expect_equal_for_every_layout(const Pair& pair, Values values) {
        for (std::size_t padding = 0; padding < 70; padding += padding < 5 ? 1 : 13) {
            for (std::size_t offset = 0; offset < 64; offset += 3) {
                for (const bool end : {false, true}) {
                    expect_equal(pair, 37, values, {padding, offset, end});
                }
            }
        }
    }

    /// kManyRows rows of evenly drawn codes, 512 a call.
    void expect_equal_for_many_rows(const Pair& pair) {
        const std::size_t inputs = pair.fast->inputs();
        std::vector<std::uint8_t> rows(kernels::kMaxRows * inputs);
        std::vector<std::int32_t> have(std::size_t{kernels::kMaxRows} * pair.fast->outputs());
        std::vector<std::int32_t> want(have.size());
        const std::size_t bytes =
            std::max(pair.fast->scratch_bytes(), pair.reference->scratch_bytes());
        const GuardedBuffer scratch((bytes + 63) / 64 * 64, true);
        for (std::uint32_t scored = 0; scored < kManyRows; scored += kernels::kMaxRows) {
            std::uint32_t state = random_();
            for (std::uint8_t& code : rows) {
                state = state * 1664525 + 1013904223;
                code = static_cast<std::uint8_t>(state >> 24);
            }
            pair.fast->score(
                rows.data(), inputs, kernels::kMaxRows, have.data(), scratch.as<std::byte>());
            pair.reference->score(
                rows.data(), inputs, kernels::kMaxRows, want.data(), scratch.as<std::byte>());
            ASSERT_EQ(have, want);
        }
    }

    std::uint32_t draw(std::uint32_t low, std::uint32_t high) {
        return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
    }

    std::mt19937 random_{20260101};
};

}  // namespace weir::testing
