// SPDX-License-Identifier: BSD-3-Clause
#include "perf/xgboost_forest.h"

#include <stdexcept>

#include <xgboost/c_api.h>

namespace weir::perf {
namespace {

void require(int status) {
    if (status != 0) {
        throw std::runtime_error(XGBGetLastError());
    }
}

std::string array_interface(const float* values, std::size_t rows, std::size_t columns) {
    return R"({"data":[)" + std::to_string(reinterpret_cast<std::uintptr_t>(values)) +
           R"(,true],"shape":[)" + std::to_string(rows) + "," + std::to_string(columns) +
           R"(],"typestr":"<f4","version":3})";
}

}  // namespace

struct XgboostForest::State {
    BoosterHandle booster = nullptr;
    DMatrixHandle training = nullptr;
    std::string rows;

    ~State() {
        (void)XGBoosterFree(booster);
        (void)XGDMatrixFree(training);
    }
};

XgboostForest::XgboostForest(
    const XgboostParameters& parameters,
    int rounds,
    const std::vector<float>& values,
    std::size_t columns,
    const std::vector<float>& labels)
    : state_(std::make_unique<State>()) {
    require(XGDMatrixCreateFromDense(
        array_interface(values.data(), labels.size(), columns).c_str(),
        R"({"missing":NaN,"nthread":1})",
        &state_->training));
    require(XGDMatrixSetFloatInfo(state_->training, "label", labels.data(), labels.size()));
    require(XGBoosterCreate(&state_->training, 1, &state_->booster));
    for (const auto& [name, value] : parameters) {
        require(XGBoosterSetParam(state_->booster, name.c_str(), value.c_str()));
    }
    require(XGBoosterSetParam(state_->booster, "nthread", "1"));
    for (int round = 0; round < rounds; ++round) {
        require(XGBoosterUpdateOneIter(state_->booster, round, state_->training));
    }
}

XgboostForest::~XgboostForest() = default;

void XgboostForest::set_rows(const float* values, std::size_t rows, std::size_t columns) {
    state_->rows = array_interface(values, rows, columns);
}

const float* XgboostForest::predict() {
    const bst_ulong* shape = nullptr;
    bst_ulong dimensions = 0;
    const float* margins = nullptr;
    require(XGBoosterPredictFromDense(
        state_->booster,
        state_->rows.c_str(),
        R"({"type":1,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":false,)"
        R"("missing":NaN,"cache_id":0})",
        nullptr,
        &shape,
        &dimensions,
        &margins));
    return margins;
}

std::string XgboostForest::json() const {
    bst_ulong length = 0;
    const char* text = nullptr;
    require(XGBoosterSaveModelToBuffer(state_->booster, R"({"format":"json"})", &length, &text));
    return std::string(text, length);
}

}  // namespace weir::perf
