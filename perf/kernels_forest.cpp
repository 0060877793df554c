// SPDX-License-Identifier: BSD-3-Clause
// Ensembles trained by XGBoost on made-up rows of 32 codes, quantized as weirlab does, scored by every variant and by
// XGBoost itself on the same rows. XGBoost takes float rows, so it reads the codes as floats, in place: no matrix is
// built and nothing is converted while the clock runs.
//
// Both sides are timed in turn, a round each, so that a change of clock or a neighbour hits both; a ratio is the median
// of the rounds' ratios. Answers are compared before anything is timed: every variant with the reference bit for bit,
// the reference with XGBoost within the quantization's bound.
#include "perf/kernels_forest.h"

#include "control/lab/train_convert.h"
#include "kernels/forest/variants.h"
#include "perf/xgboost_forest.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <functional>
#include <map>
#include <random>

namespace weir::perf {
namespace {

using kernels::Classifier;
using kernels::Isa;

constexpr std::size_t kColumns = 32;
constexpr std::uint32_t kBatches[] = {1, 32, 64, 256, 512};
constexpr std::size_t kPool = 16 * kernels::kMaxRows;  // rows that calls go through in turn
constexpr double kMicro = 1e-6;

struct Ensemble {
    const char* name;
    XgboostParameters parameters;
    int rounds;
    std::size_t training_rows;
    std::map<std::uint32_t, double> ratio_goals;  // by batch, with 256 bins
};

const XgboostParameters kRegression = {
    {"objective", "reg:squarederror"}, {"base_score", "0"}, {"tree_method", "hist"}};

XgboostParameters with(XgboostParameters more) {
    more.insert(more.begin(), kRegression.begin(), kRegression.end());
    return more;
}

const Ensemble kEnsembles[] = {
    {"gbdt_100x6",
     with({{"max_depth", "6"}, {"min_child_weight", "0"}}),
     100,
     20000,
     {{32, 12}, {256, 60}, {512, 100}}},
    {"gbdt_500x6",
     with({{"max_depth", "6"}, {"min_child_weight", "0"}}),
     500,
     20000,
     {{32, 15}, {256, 75}, {512, 130}}},
    {"gbdt_100x8_classes",
     with(
         {{"objective", "multi:softprob"},
          {"num_class", "8"},
          {"max_depth", "6"},
          {"min_child_weight", "0"}}),
     100,
     20000,
     {}},
    {"random_forest_50x10",
     with(
         {{"num_parallel_tree", "50"},
          {"max_depth", "10"},
          {"subsample", "0.63"},
          {"colsample_bynode", "0.3"},
          {"eta", "1"}}),
     1,
     20000,
     {}},
    // Fully grown on 256 rows each, as an isolation forest is, up to the kernels' sixteen levels.
    {"isolation_100x256",
     with(
         {{"num_parallel_tree", "100"},
          {"max_depth", "16"},
          {"max_leaves", "256"},
          {"grow_policy", "lossguide"},
          {"subsample", "0.0128"},
          {"colsample_bynode", "0.05"},
          {"lambda", "0"},
          {"eta", "1"}}),
     1,
     20000,
     {}},
};

// This thread's CPU time: what neighbours take of a shared core is not ours to count.
double now() {
    timespec time{};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// Seconds a call.
double time_calls(const std::function<void()>& call, int calls) {
    const double start = now();
    for (int i = 0; i < calls; ++i) {
        call();
    }
    return (now() - start) / calls;
}

int calls_for(const std::function<void()>& call, double round_us) {
    time_calls(call, 3);
    const double once = std::max(time_calls(call, 10), 1e-9);
    return std::max(1, static_cast<int>(round_us * kMicro / once));
}

double deviation(const std::vector<double>& values) {
    const double middle = median(values);
    std::vector<double> off;
    for (const double value : values) {
        off.push_back(std::abs(value - middle));
    }
    return median(off);
}

/// Rows of codes 0…bins−1 whose label takes many splits to learn.
struct Rows {
    std::vector<std::uint8_t> codes;
    std::vector<float> values;  // the same as floats
    std::vector<float> labels;

    Rows(std::size_t rows, std::uint32_t bins, std::uint32_t classes, std::uint32_t seed) {
        std::mt19937 random(seed);
        std::normal_distribution<float> noise(0, 1);
        for (std::size_t r = 0; r < rows; ++r) {
            double sum = 0;
            for (std::size_t c = 0; c < kColumns; ++c) {
                const auto code = static_cast<std::uint8_t>(random() % bins);
                codes.push_back(code);
                values.push_back(code);
                const double x = static_cast<double>(code) / bins;
                sum += std::sin(static_cast<double>(c + 1) * x) * (c % 2 == 0 ? 1 : -1);
            }
            const double target = sum + static_cast<double>(noise(random));
            labels.push_back(
                classes > 1
                    ? static_cast<float>(
                          std::abs(static_cast<int>(target * 4)) % static_cast<int>(classes))
                    : static_cast<float>(target));
        }
    }
};

struct alignas(64) Line {
    std::byte bytes[64];
};

/// One variant and the rows it goes through.
class Ours {
  public:
    Ours(const Classifier& classifier, const Rows& rows, std::uint32_t batch)
        : classifier_(classifier),
          rows_(rows),
          batch_(batch),
          out_(std::size_t{batch} * classifier.outputs()),
          scratch_(classifier.scratch_bytes() / sizeof(Line) + 1) {}

    void run() noexcept {
        classifier_.score(
            rows_.codes.data() + at_ * kColumns,
            kColumns,
            batch_,
            out_.data(),
            reinterpret_cast<std::byte*>(scratch_.data()));
        at_ = at_ + 2 * batch_ <= kPool ? at_ + batch_ : 0;
    }
    [[nodiscard]] const std::vector<std::int32_t>& out() const { return out_; }

  private:
    const Classifier& classifier_;
    const Rows& rows_;
    std::uint32_t batch_;
    std::size_t at_ = 0;
    std::vector<std::int32_t> out_;
    std::vector<Line> scratch_;
};

struct Timing {
    std::vector<double> ours_ns;
    std::vector<double> ratios;
};

class Bench {
  public:
    Bench(
        const Ensemble& ensemble,
        std::uint32_t bins,
        const Peak& peak,
        const ForestBenchOptions& options,
        Report& report)
        : ensemble_(ensemble),
          bins_(bins),
          peak_(peak),
          options_(options),
          report_(report),
          classes_(classes(ensemble)),
          rows_(kPool, bins, classes_, 7) {}

    bool run() {
        const Rows training(ensemble_.training_rows, bins_, classes_, 1);
        XgboostParameters parameters = ensemble_.parameters;
        parameters.emplace_back("max_bin", std::to_string(bins_));
        xgboost_ = std::make_unique<XgboostForest>(
            parameters, ensemble_.rounds, training.values, kColumns, training.labels);
        const auto forest = lab::parse_xgboost_json(xgboost_->json());
        const auto quantized =
            forest ? lab::quantize(*forest, 1.0) : tl::unexpected(forest.error());
        if (!quantized) {
            std::fprintf(stderr, "%s: %s\n", ensemble_.name, quantized.error().line().c_str());
            return false;
        }
        quantized_ = *quantized;
        print_shape();
        if (!agrees_with_xgboost()) {
            return false;
        }
        for (const Isa isa : kernels::forest_isas()) {
            if (!kernels::isa_supported(isa)) {
                std::printf("%s: skipped, this CPU lacks it\n", kernels::isa_name(isa).data());
            } else if (!bench_variant(isa)) {
                return false;
            }
        }
        return true;
    }

  private:
    static std::uint32_t classes(const Ensemble& ensemble) {
        for (const auto& [name, value] : ensemble.parameters) {
            if (name == "num_class") {
                return static_cast<std::uint32_t>(std::stoul(value));
            }
        }
        return 1;
    }

    void print_shape() const {
        std::size_t leaves = 0;
        for (const auto& tree : quantized_.spec.trees) {
            leaves += tree.leaves.size();
        }
        std::printf(
            "%s, %u bins: %zu trees, %.1f leaves a tree\n",
            ensemble_.name,
            bins_,
            quantized_.spec.trees.size(),
            static_cast<double>(leaves) / static_cast<double>(quantized_.spec.trees.size()));
    }

    std::vector<std::int32_t> reference_answers() const {
        const auto reference = kernels::make_forest_classifier(quantized_.spec, Isa::scalar);
        std::vector<std::int32_t> raw(kPool * reference->outputs());
        for (std::size_t r = 0; r < kPool; r += kernels::kMaxRows) {
            reference->score(
                rows_.codes.data() + r * kColumns,
                kColumns,
                kernels::kMaxRows,
                raw.data() + r * reference->outputs(),
                nullptr);
        }
        return raw;
    }

    bool agrees_with_xgboost() {
        want_ = reference_answers();
        xgboost_->set_rows(rows_.values.data(), kPool, kColumns);
        const float* margins = xgboost_->predict();
        for (std::size_t i = 0; i < want_.size(); ++i) {
            const double ours = want_[i] * quantized_.logit_per_raw;
            const double theirs = static_cast<double>(margins[i]);
            if (std::abs(ours - theirs) > quantized_.logit_error + 1e-3 * (1 + std::abs(theirs))) {
                std::fprintf(
                    stderr, "%s: %f where XGBoost says %f\n", ensemble_.name, ours, theirs);
                return false;
            }
        }
        return true;
    }

    bool agrees_with_reference(const Classifier& classifier, std::uint32_t batch) const {
        Ours ours(classifier, rows_, batch);
        const std::size_t outputs = classifier.outputs();
        for (std::size_t r = 0; r + batch <= kPool; r += batch) {
            ours.run();
            if (!std::equal(
                    ours.out().begin(),
                    ours.out().end(),
                    want_.begin() + static_cast<std::ptrdiff_t>(r * outputs))) {
                std::fprintf(
                    stderr, "%s: differs from the reference at batch %u\n", ensemble_.name, batch);
                return false;
            }
        }
        return true;
    }

    Timing fight(const Classifier& classifier, std::uint32_t batch) {
        Ours mine(classifier, rows_, batch);
        xgboost_->set_rows(rows_.values.data(), batch, kColumns);
        const auto ours = [&] { mine.run(); };
        const auto theirs = [&] { xgboost_->predict(); };
        const int our_calls = calls_for(ours, options_.round_us);
        const int their_calls = calls_for(theirs, options_.round_us);
        Timing timing;
        for (int round = 0; round < options_.rounds; ++round) {
            const double a = time_calls(ours, our_calls);
            const double b = time_calls(theirs, their_calls);
            timing.ours_ns.push_back(a * 1e9 / batch);
            timing.ratios.push_back(b / a);
        }
        return timing;
    }

    bool bench_variant(Isa isa) {
        const auto classifier = kernels::make_forest_classifier(quantized_.spec, isa);
        for (const std::uint32_t batch : kBatches) {
            if (!agrees_with_reference(*classifier, batch)) {
                return false;
            }
            add_figures(isa, batch, fight(*classifier, batch));
        }
        return true;
    }

    void add_figures(Isa isa, std::uint32_t batch, const Timing& timing) {
        const std::string isa_text(kernels::isa_name(isa));
        const double ns = median(timing.ours_ns);
        const double cycles = ns * peak_.ghz;
        const double predicted = kernels::forest_cycles_per_row(quantized_.spec, isa);
        std::printf(
            "%-20s %3u bins %-12s %4u rows %9.2f ± %6.2f ns %9.1f cycles",
            ensemble_.name,
            bins_,
            isa_text.c_str(),
            batch,
            ns,
            deviation(timing.ours_ns),
            cycles);
        if (batch == 64) {
            std::printf(" (predicted %.0f: %+.0f %%)", predicted, 100 * (predicted / cycles - 1));
        }
        std::printf(" %8.2f x XGBoost\n", median(timing.ratios));

        const std::string name = std::string("kernels.") + ensemble_.name + ".bins" +
                                 std::to_string(bins_) + ".b" + std::to_string(batch);
        if (isa != best()) {
            report_.add({name + "." + isa_text + "_ns", ns, "ns", std::nullopt, false});
            return;
        }
        const auto goal = ensemble_.ratio_goals.find(batch);
        const bool has_goal = goal != ensemble_.ratio_goals.end() && bins_ == 256;
        report_.add({name + ".row_ns", ns, "ns", std::nullopt, false});
        report_.add(
            {name + ".vs_xgboost",
             median(timing.ratios),
             "x",
             has_goal ? std::optional(goal->second) : std::nullopt,
             true});
        if (batch == 64) {
            report_.add(
                {name + ".predicted_error", std::abs(predicted / cycles - 1), "x", 0.25, false});
        }
    }

    static Isa best() {
        Isa isa = Isa::scalar;
        for (const Isa candidate : kernels::forest_isas()) {
            isa = kernels::isa_supported(candidate) ? candidate : isa;
        }
        return isa;
    }

    const Ensemble& ensemble_;
    std::uint32_t bins_;
    const Peak& peak_;
    const ForestBenchOptions& options_;
    Report& report_;
    std::uint32_t classes_;
    Rows rows_;
    lab::QuantizedForest quantized_;
    std::vector<std::int32_t> want_;
    std::unique_ptr<XgboostForest> xgboost_;
};

}  // namespace

bool bench_forest(const Peak& peak, const ForestBenchOptions& options, Report& report) {
    for (const Ensemble& ensemble : kEnsembles) {
        if (std::string(ensemble.name).find(options.only) == std::string::npos) {
            continue;
        }
        for (const std::uint32_t bins : {256U, 64U}) {
            try {
                if (!Bench(ensemble, bins, peak, options, report).run()) {
                    return false;
                }
            } catch (const std::exception& error) {
                std::fprintf(stderr, "%s: XGBoost: %s\n", ensemble.name, error.what());
                return false;
            }
        }
    }
    return true;
}

}  // namespace weir::perf
