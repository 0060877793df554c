// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_booster.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <utility>

#include <xgboost/c_api.h>

namespace weir::lab {
namespace {

tl::unexpected<Error> library_error(const char* call) {
    return fail("xgboost", call, XGBGetLastError());
}

/// Owns one of the library's handles.
template <int (*Free)(void*)>
class Handle {
  public:
    Handle() = default;
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
    Handle& operator=(Handle&& other) noexcept {
        std::swap(raw_, other.raw_);
        return *this;
    }
    ~Handle() {
        if (raw_ != nullptr) {
            Free(raw_);
        }
    }
    [[nodiscard]] void* get() const noexcept { return raw_; }
    [[nodiscard]] void** out() noexcept { return &raw_; }

  private:
    void* raw_ = nullptr;
};

using Matrix = Handle<XGDMatrixFree>;
using Model = Handle<XGBoosterFree>;

Result<Matrix> make_matrix(const CodeMatrix& data) {
    // NumPy's array interface: the library reads the codes where they are.
    const std::string array = R"({"data":[)" +
                              std::to_string(reinterpret_cast<std::uintptr_t>(data.codes.data())) +
                              R"(,true],"shape":[)" + std::to_string(data.rows()) + "," +
                              std::to_string(data.columns) + R"(],"typestr":"|u1","version":3})";
    Matrix matrix;
    // No code stands for "missing": 256 is outside u8.
    if (XGDMatrixCreateFromDense(array.c_str(), R"({"missing":256,"nthread":1})", matrix.out()) !=
        0) {
        return library_error("XGDMatrixCreateFromDense");
    }
    if (!data.labels.empty()) {
        const std::vector<float> labels(data.labels.begin(), data.labels.end());
        if (XGDMatrixSetFloatInfo(matrix.get(), "label", labels.data(), labels.size()) != 0) {
            return library_error("XGDMatrixSetFloatInfo(label)");
        }
    }
    if (!data.weights.empty() &&
        XGDMatrixSetFloatInfo(matrix.get(), "weight", data.weights.data(), data.weights.size()) !=
            0) {
        return library_error("XGDMatrixSetFloatInfo(weight)");
    }
    return matrix;
}

}  // namespace

struct Booster::Impl {
    Model model;
    std::uint32_t classes = 0;
};

Booster::Booster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Booster::~Booster() = default;
Booster::Booster(Booster&&) noexcept = default;
Booster& Booster::operator=(Booster&&) noexcept = default;

Result<Booster> Booster::train(const CodeMatrix& data, const BoostOptions& options) {
    auto matrix = make_matrix(data);
    if (!matrix) {
        return tl::unexpected(matrix.error());
    }
    auto impl = std::make_unique<Impl>();
    impl->classes = options.classes;
    void* cache[] = {matrix->get()};
    if (XGBoosterCreate(cache, 1, impl->model.out()) != 0) {
        return library_error("XGBoosterCreate");
    }
    const std::pair<const char*, std::string> parameters[] = {
        {"booster", "gbtree"},
        {"objective", "multi:softprob"},
        {"tree_method", "hist"},
        {"base_score", "0"},
        {"nthread", "1"},
        {"verbosity", "1"},
        {"num_class", std::to_string(options.classes)},
        {"max_depth", std::to_string(options.depth)},
        {"max_bin", std::to_string(options.bins)},
        {"eta", std::to_string(options.learning_rate)},
        {"lambda", std::to_string(options.l2)},
        {"colsample_bynode", std::to_string(options.column_share)},
        {"gamma", std::to_string(options.min_split_gain)},
        {"min_child_weight", std::to_string(options.min_child_weight)},
        {"seed", std::to_string(options.seed)}};
    const std::pair<const char*, std::string> bagging[] = {
        {"num_parallel_tree", std::to_string(options.parallel_trees)},
        {"subsample", std::to_string(options.row_share)}};
    const auto set = [&](const auto& named) {
        return std::all_of(std::begin(named), std::end(named), [&](const auto& parameter) {
            const auto& [name, value] = parameter;
            return XGBoosterSetParam(impl->model.get(), name, value.c_str()) == 0;
        });
    };
    if (!set(parameters) || (options.parallel_trees > 1 && !set(bagging))) {
        return library_error("XGBoosterSetParam");
    }
    for (std::uint32_t round = 0; round < options.rounds; ++round) {
        if (XGBoosterUpdateOneIter(impl->model.get(), static_cast<int>(round), matrix->get()) !=
            0) {
            return library_error("XGBoosterUpdateOneIter");
        }
    }
    return Booster(std::move(impl));
}

Result<std::vector<float>> Booster::margins(const CodeMatrix& data, std::uint32_t rounds) const {
    auto matrix = make_matrix(data);
    if (!matrix) {
        return tl::unexpected(matrix.error());
    }
    const std::string config =
        R"({"type":1,"training":false,"strict_shape":false,"iteration_begin":0,"iteration_end":)" +
        std::to_string(rounds) + "}";
    const bst_ulong* shape = nullptr;
    bst_ulong dimensions = 0;
    const float* values = nullptr;
    if (XGBoosterPredictFromDMatrix(
            impl_->model.get(), matrix->get(), config.c_str(), &shape, &dimensions, &values) != 0) {
        return library_error("XGBoosterPredictFromDMatrix");
    }
    return std::vector<float>(values, values + std::size_t{data.rows()} * impl_->classes);
}

Result<std::vector<double>> Booster::gains(std::uint32_t columns) const {
    bst_ulong names = 0;
    const char** name = nullptr;
    bst_ulong dimensions = 0;
    const bst_ulong* shape = nullptr;
    const float* scores = nullptr;
    if (XGBoosterFeatureScore(
            impl_->model.get(),
            R"({"importance_type":"total_gain"})",
            &names,
            &name,
            &dimensions,
            &shape,
            &scores) != 0) {
        return library_error("XGBoosterFeatureScore");
    }
    std::vector<double> gains(columns, 0.0);
    for (bst_ulong i = 0; i < names; ++i) {
        // Unnamed features are called "f" and their column.
        const auto column = std::strtoul(name[i] + 1, nullptr, 10);
        if (name[i][0] == 'f' && column < columns) {
            gains[column] = static_cast<double>(scores[i]);
        }
    }
    return gains;
}

Result<std::string> Booster::json() const {
    bst_ulong length = 0;
    const char* text = nullptr;
    if (XGBoosterSaveModelToBuffer(impl_->model.get(), R"({"format":"json"})", &length, &text) !=
        0) {
        return library_error("XGBoosterSaveModelToBuffer");
    }
    return std::string(text, length);
}

}  // namespace weir::lab
