// SPDX-License-Identifier: BSD-3-Clause
// Networks run by oneDNN: int8 to the bit, f32 within its bound; on one thread; refusals by field.
#include "kernels/onednn/variants.h"
#include "tests/kernels/guarded_buffer.h"
#include "tests/kernels/mlp_cases.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include <gtest/gtest.h>
#include <sched.h>

namespace weir::kernels {
namespace {

using testing::GuardedBuffer;
using testing::make_code;
using testing::make_spec;
using testing::Values;
using Widths = std::vector<std::uint32_t>;

OnednnSpec int8_spec(const Widths& widths, Values values, std::mt19937& random) {
    return {OnednnInt8{make_spec(widths, values, random).layers}};
}

OnednnSpec f32_spec(const Widths& widths, std::mt19937& random) {
    OnednnF32 net;
    net.raw_scale = 64;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
        OnednnF32Layer layer{widths[i], widths[i + 1], {}, {}};
        std::normal_distribution<float> weight(0, 1.4F / std::sqrt(static_cast<float>(layer.in)));
        for (std::size_t w = 0; w < std::size_t{layer.in} * layer.out; ++w) {
            layer.weights.push_back(weight(random));
        }
        for (std::uint32_t j = 0; j < layer.out; ++j) {
            layer.bias.push_back(weight(random) * 10);
        }
        net.layers.push_back(std::move(layer));
    }
    return {net};
}

/// Rows, outputs and scratch that end where no one may read or write on.
class Call {
  public:
    Call(const Classifier& classifier, std::uint32_t n, std::size_t padding = 0)
        : classifier_(classifier),
          n_(n),
          stride_(classifier.inputs() + padding),
          rows_(n == 0 ? 0 : (n - 1) * stride_ + classifier.inputs(), true),
          out_(std::size_t{n} * classifier.outputs() * sizeof(std::int32_t), true),
          scratch_((classifier.scratch_bytes() + 63) / 64 * 64, true) {}

    void fill(Values values, std::mt19937& random) {
        const std::size_t bytes = n_ == 0 ? 0 : (n_ - 1) * stride_ + classifier_.inputs();
        std::generate_n(row(0), bytes, [&] { return make_code(values, random); });
    }
    std::uint8_t* row(std::uint32_t r) const { return rows_.as<std::uint8_t>() + r * stride_; }
    void run() const {
        classifier_.score(row(0), stride_, n_, out_.as<std::int32_t>(), scratch_.as<std::byte>());
    }
    // What the reference says for the same rows.
    [[nodiscard]] std::vector<std::int32_t> reference(const OnednnSpec& spec) const {
        const auto reference = make_onednn_reference(spec);
        std::vector<std::int32_t> out(std::size_t{n_} * spec.outputs());
        std::vector<double> scratch(reference->scratch_bytes() / sizeof(double));
        reference->score(
            row(0), stride_, n_, out.data(), reinterpret_cast<std::byte*>(scratch.data()));
        return out;
    }
    [[nodiscard]] std::vector<std::int32_t> answers() const {
        const auto* out = out_.as<std::int32_t>();
        return {out, out + std::size_t{n_} * classifier_.outputs()};
    }

  private:
    const Classifier& classifier_;
    std::uint32_t n_;
    std::size_t stride_;
    GuardedBuffer rows_;
    GuardedBuffer out_;
    GuardedBuffer scratch_;
};

class Onednn : public ::testing::Test {
  protected:
    // The fastest that this machine has; none where oneDNN would saturate.
    static std::unique_ptr<Classifier> fast(const OnednnSpec& spec) {
        auto made = make_onednn_classifier(spec, onednn_isas(spec).back());
        EXPECT_TRUE(made) << made.error().line();
        return std::move(made.value());
    }

    void expect_exact(const OnednnSpec& spec, std::uint32_t n, Values codes, std::size_t padding) {
        ASSERT_TRUE(validate(spec));
        const auto classifier = fast(spec);
        Call call(*classifier, n, padding);
        call.fill(codes, random_);
        call.run();
        EXPECT_EQ(call.answers(), call.reference(spec)) << "n " << n;
    }

    std::mt19937 random_{20260103};
};

TEST_F(Onednn, Int8EqualsTheReferenceForEveryLengthOfCall) {
    const OnednnSpec spec = int8_spec({30, 96, 40, 5}, Values::trained, random_);
    for (std::uint32_t n = 0; n <= 70; ++n) {
        expect_exact(spec, n, Values::random, n % 3);
    }
    for (const std::uint32_t n : {255U, 256U, 257U, 300U, 385U, kMaxRows}) {
        expect_exact(spec, n, Values::random, 0);
    }
}

TEST_F(Onednn, Int8EqualsTheReferenceAtTheExtremes) {
    for (const Values weights : testing::kAllValues) {
        for (const Values codes : testing::kAllValues) {
            expect_exact(int8_spec({256, 520, 260, 64}, weights, random_), 11, codes, 0);
            expect_exact(int8_spec({3, 1, 7, 1}, weights, random_), 40, codes, 5);
        }
    }
}

TEST_F(Onednn, Int8EqualsTheReferenceAtFullDepthAndWidth) {
    Widths deep(17, 65);
    deep.back() = 9;
    expect_exact(int8_spec(deep, Values::trained, random_), 33, Values::random, 0);
    expect_exact(int8_spec({256, 4096, 4096, 64}, Values::highest, random_), 9, Values::highest, 0);
}

TEST_F(Onednn, F32StaysWithinItsBound) {
    for (const Widths& widths :
         {Widths{16, 1}, Widths{64, 300, 100, 8}, Widths{256, 1024, 512, 64}}) {
        const OnednnSpec spec = f32_spec(widths, random_);
        ASSERT_TRUE(validate(spec));
        const auto classifier = fast(spec);
        constexpr std::uint32_t kRows = 37;
        Call call(*classifier, kRows);
        call.fill(Values::random, random_);
        call.run();
        const auto have = call.answers();
        const auto want = call.reference(spec);
        for (std::uint32_t r = 0; r < kRows; ++r) {
            const std::size_t first = std::size_t{r} * spec.outputs();
            const auto bound =
                onednn_tolerance(spec, call.row(r), std::span(want).subspan(first, spec.outputs()));
            for (std::uint32_t j = 0; j < spec.outputs(); ++j) {
                const double off = std::abs(double{1} * have[first + j] - want[first + j]);
                EXPECT_LE(off, bound[j]) << r << " " << j;
            }
        }
    }
}

TEST_F(Onednn, F32GivesARowTheSameBitsInEveryBatch) {
    const OnednnSpec spec = f32_spec({64, 300, 100, 8}, random_);
    const auto classifier = fast(spec);
    const auto again = fast(spec);
    constexpr std::uint32_t kRows = 67;
    Call whole(*classifier, kRows);
    whole.fill(Values::random, random_);
    whole.run();
    const auto want = whole.answers();
    for (std::uint32_t n : {1U, 2U, 15U, 16U, 17U, 33U}) {
        for (std::uint32_t first = 0; first + n <= kRows; ++first) {
            Call part(*(first % 2 == 0 ? classifier : again), n);
            std::memcpy(part.row(0), whole.row(first), std::size_t{n} * spec.inputs());
            part.run();
            const auto* from = want.data() + std::size_t{first} * spec.outputs();
            EXPECT_EQ(
                part.answers(),
                std::vector<std::int32_t>(from, from + std::size_t{n} * spec.outputs()));
        }
    }
}

std::size_t threads_now() {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST_F(Onednn, ScoresOnTheCallingThreadAloneAndLeavesItsAffinity) {
    const OnednnSpec int8 = int8_spec({64, 1024, 1024, 8}, Values::trained, random_);
    const OnednnSpec f32 = f32_spec({64, 512, 512, 8}, random_);
    const auto classifier = fast(int8);
    const auto floats = fast(f32);
    std::thread worker([&] {
        cpu_set_t pinned;
        CPU_ZERO(&pinned);
        CPU_SET(static_cast<std::size_t>(sched_getcpu()), &pinned);
        ASSERT_EQ(sched_setaffinity(0, sizeof pinned, &pinned), 0);
        const std::size_t before = threads_now();
        for (const Classifier* network : {classifier.get(), floats.get()}) {
            Call call(*network, kMaxRows);
            std::mt19937 random(1);
            call.fill(Values::random, random);
            call.run();
        }
        EXPECT_EQ(threads_now(), before);
        cpu_set_t after;
        CPU_ZERO(&after);
        ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
        EXPECT_TRUE(CPU_EQUAL(&pinned, &after));
    });
    worker.join();
}

TEST_F(Onednn, ManyThreadsScoreAtOnce) {
    const OnednnSpec spec = int8_spec({40, 200, 100, 6}, Values::trained, random_);
    const auto classifier = fast(spec);
    std::vector<std::thread> threads;
    for (unsigned seed = 0; seed < 8; ++seed) {
        threads.emplace_back([&, seed] {
            std::mt19937 random(seed);
            Call call(*classifier, 75);
            for (int round = 0; round < 20; ++round) {
                call.fill(Values::random, random);
                call.run();
                ASSERT_EQ(call.answers(), call.reference(spec));
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_F(Onednn, RefusesAnIsaItCannotUse) {
    const OnednnSpec spec = int8_spec({4, 4, 2}, Values::trained, random_);
    const auto made = make_onednn_classifier(spec, Isa::neon_dotprod);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().field, "isa");
    EXPECT_EQ(make_onednn_classifier(spec, Isa::scalar).value()->isa(), Isa::scalar);
    EXPECT_EQ(fast(spec)->isa(), onednn_isas(spec).back());
}

TEST_F(Onednn, PredictedCostIsPositiveAndGrows) {
    for (const Isa isa : {Isa::scalar, Isa::avx512_vnni}) {
        const double small =
            onednn_cycles_per_row(int8_spec({8, 8, 2}, Values::trained, random_), isa);
        const double large =
            onednn_cycles_per_row(int8_spec({8, 80, 2}, Values::trained, random_), isa);
        EXPECT_GT(small, 0);
        EXPECT_GT(large, small);
    }
}

struct Refusal {
    const char* name;
    std::function<OnednnSpec(std::mt19937&)> make;
    const char* field;
};
void PrintTo(const Refusal& value, std::ostream* out) {
    *out << value.name;
}

class OnednnRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(OnednnRefuses, NamingTheField) {
    std::mt19937 random(1);
    const auto checked = validate(GetParam().make(random));
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().field, GetParam().field);
    EXPECT_FALSE(checked.error().fix.empty());
}

Refusal damaged(
    const char* name, const std::function<void(OnednnF32&)>& damage, const char* field) {
    return {
        name,
        [damage](std::mt19937& random) {
            OnednnSpec spec = f32_spec({4, 3, 2}, random);
            damage(std::get<OnednnF32>(spec.network));
            return spec;
        },
        field};
}

const Refusal kRefusals[] = {
    {"no_layers", [](auto&) { return OnednnSpec{OnednnInt8{}}; }, "onednn.layers"},
    {"no_f32_layers", [](auto&) { return OnednnSpec{OnednnF32{}}; }, "onednn.layers"},
    {"deep",
     [](auto& random) { return int8_spec(Widths(18, 2), Values::trained, random); },
     "onednn.layers"},
    {"wide",
     [](auto& random) {
         return int8_spec({2, 4097, 2}, Values::trained, random);
     },
     "onednn.layers[0].out"},
    {"many_inputs",
     [](auto& random) {
         return int8_spec({257, 2}, Values::trained, random);
     },
     "onednn.layers[0].in"},
    {"many_outputs",
     [](auto& random) {
         return int8_spec({2, 65}, Values::trained, random);
     },
     "onednn.layers[0].out"},
    {"f32_wide",
     [](auto& random) {
         return f32_spec({2, 4097, 2}, random);
     },
     "onednn.layers[0].out"},
    {"f32_inputs",
     [](auto& random) {
         return f32_spec({257, 2}, random);
     },
     "onednn.layers[0].in"},
    {"f32_outputs",
     [](auto& random) {
         return f32_spec({2, 65}, random);
     },
     "onednn.layers[0].out"},
    damaged(
        "f32_chain", [](OnednnF32& n) { n.layers[1].in = 4; }, "onednn.layers[1].in"),
    damaged(
        "f32_count",
        [](OnednnF32& n) { n.layers[1].weights.pop_back(); },
        "onednn.layers[1].weights"),
    damaged(
        "f32_bias", [](OnednnF32& n) { n.layers[0].bias.clear(); }, "onednn.layers[0].bias"),
    damaged(
        "f32_nan",
        [](OnednnF32& n) { n.layers[0].weights[5] = NAN; },
        "onednn.layers[0].weights[5]"),
    damaged(
        "f32_infinite",
        [](OnednnF32& n) { n.layers[1].bias[1] = INFINITY; },
        "onednn.layers[1].bias[1]"),
    damaged(
        "f32_huge",
        [](OnednnF32& n) { n.layers[1].weights[0] = 1e30F; },
        "onednn.layers[1].weights"),
    damaged(
        "scale_zero", [](OnednnF32& n) { n.raw_scale = 0; }, "onednn.raw_scale"),
    damaged(
        "scale_nan", [](OnednnF32& n) { n.raw_scale = NAN; }, "onednn.raw_scale"),
};

INSTANTIATE_TEST_SUITE_P(All, OnednnRefuses, ::testing::ValuesIn(kRefusals), [](const auto& info) {
    return std::string(info.param.name);
});

}  // namespace
}  // namespace weir::kernels
