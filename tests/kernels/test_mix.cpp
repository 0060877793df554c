// SPDX-License-Identifier: BSD-3-Clause
// Models of every family in turn on one scratch, as a worker runs them: batches of ragged sizes, none leaving anything
// behind that another's answer depends on.
#include "kernels/classifier.h"
#include "tests/kernels/family_cases.h"
#include "tests/kernels/forest_cases.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/normalized_cases.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace weir::kernels {
namespace {

using testing::GuardedBuffer;
using testing::Values;

struct Guest {
    std::unique_ptr<Classifier> fast;
    std::unique_ptr<Classifier> reference;
};

std::vector<Network> networks(std::mt19937& random) {
    testing::ForestShape forest;
    forest.inputs = 20;
    forest.trees = 30;
    forest.leaves = 90;
    return {
        testing::make_spec({32, 32, 16, 8}, Values::trained, random),
        testing::ForestMaker(random).make(forest),
        testing::make_linear(33, 3, Values::trained, random),
        testing::make_autoencoder({30, 11, 5}, Values::trained, random),
        testing::make_sequence(testing::SequenceCase(), Values::trained, random),
        OnednnSpec{OnednnInt8{testing::make_spec({40, 300, 7}, Values::trained, random).layers}},
        testing::make_spec({256, 100, 64}, Values::trained, random),
        testing::make_normalized(RowNorm::l2, {37, 16, 4}, Values::trained, random),
    };
}

TEST(RaggedMix, GivesEachModelTheReferencesAnswers) {
    std::mt19937 random(20260105);
    std::vector<Guest> guests;
    std::size_t scratch_bytes = 64;
    for (const Network& network : networks(random)) {
        auto fast = make_classifier(network);
        auto reference = make_classifier(network, Isa::scalar);
        ASSERT_TRUE(fast && reference);
        for (const auto* classifier : {fast->get(), reference->get()}) {
            scratch_bytes = std::max(scratch_bytes, classifier->scratch_bytes());
        }
        guests.push_back({std::move(*fast), std::move(*reference)});
    }
    const GuardedBuffer scratch((scratch_bytes + 63) / 64 * 64, true);
    constexpr int kCalls = 300;
    for (int call = 0; call < kCalls; ++call) {
        const Guest& guest = guests[random() % guests.size()];
        // Sizes even on a logarithmic scale, so that small ones are as common as large ones.
        const std::uint32_t n = 1 + static_cast<std::uint32_t>(random() % (1U << random() % 10));
        std::vector<std::uint8_t> rows(std::size_t{n} * guest.fast->inputs());
        std::generate(
            rows.begin(), rows.end(), [&] { return static_cast<std::uint8_t>(random()); });
        std::vector<std::int32_t> have(std::size_t{n} * guest.fast->outputs());
        std::vector<std::int32_t> want(have.size());
        const std::size_t stride = guest.fast->inputs();
        guest.fast->score(rows.data(), stride, n, have.data(), scratch.as<std::byte>());
        guest.reference->score(rows.data(), stride, n, want.data(), scratch.as<std::byte>());
        ASSERT_EQ(have, want) << "call " << call << ", " << n << " rows";
    }
}

}  // namespace
}  // namespace weir::kernels
