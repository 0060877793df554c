// SPDX-License-Identifier: BSD-3-Clause
// Judging a model's verdicts on a labelled table: at whole flows and by packets seen.
#pragma once

#include "control/lab/evaluate_metrics.h"
#include "control/lab/train_table.h"
#include "kernels/model/bundle.h"

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace weir::lab {

/// A row's verdict as the gateway's decide stage takes it.
struct RowVerdict {
    std::uint32_t cls = 0;
    double score = 0.0;  ///< not benign, or where there is no benign class, confidence of `cls`
};

struct Evaluation {
    std::string slot;
    std::vector<std::string> classes;
    int benign = -1;
    Figures whole_flow;  ///< the last row of each flow
    struct Early {
        std::uint32_t packets = 0;  ///< latest verdict after at most so many packets of the flow
        Figures figures;
    };
    std::vector<Early> early;
};

/// Judges verdicts given per row of the table, whose classes are the verdicts' classes too.
[[nodiscard]] Evaluation evaluate(
    const FeatureTable& table, const std::string& slot, std::span<const RowVerdict> verdicts);

/// Verdicts of a bundle's quantized model on the rows of `table`, whose columns are the bundle's inputs. In an alarm
/// slot a class whose threshold the score misses counts as benign. Fails where the network does not validate.
[[nodiscard]] Result<std::vector<RowVerdict>> score_table(
    const kernels::Bundle& bundle, const FeatureTable& table);

/// Tables for people.
void print(std::ostream& out, const Evaluation& evaluation);

/// {"results":[{"name","value","unit","goal","higher_is_better"}…],"machine":{…},"revision":…}
[[nodiscard]] std::string to_json(
    const Evaluation& evaluation, const std::string& prefix, const std::string& revision);

}  // namespace weir::lab
