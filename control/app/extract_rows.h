// SPDX-License-Identifier: BSD-3-Clause
// Which of the rows that a worker computes belong to a table of features, with their labels.
#pragma once

#include "control/app/extract_labels.h"
#include "dataplane/events.h"
#include "dataplane/rows.h"

#include <cstdint>
#include <functional>
#include <unordered_map>

namespace weir::app {

struct ExtractColumns {
    bool raw = true;        ///< a column NAME a feature
    bool codes = true;      ///< a column NAME_code a feature
    bool decisions = true;  ///< a row at each flow's packet 1, 2, 4, 8, …
    bool ends = true;       ///< a row at each flow's end
};

/// One row of the table; valid during the call that gives it.
struct ExtractRow {
    const dataplane::Flow& flow;  ///< as of this packet
    const FlowLabel& label;
    const dataplane::FeatureRow& features;
    std::uint32_t decision =
        0;  ///< the flow's packet number at a decision point; 0: the flow's end
};

/// Picks the rows of one capture. Order: by time of decision; an end's row when the end is told, or when the
/// flow's place in the table is seen with a new flow. Thread: one, the worker's.
class ExtractRows final : public dataplane::RowTap {
  public:
    using Sink = std::function<void(const ExtractRow&)>;

    /// `labels` of the capture, may be null; they must outlive this.
    ExtractRows(const ExtractColumns& columns, const CaptureLabels* labels, Sink sink);

    void on_row(
        const dataplane::Batch& batch,
        std::uint32_t i,
        std::uint32_t flow_index,
        const dataplane::Flow& flow,
        const dataplane::FeatureRow& row) noexcept override;
    /// Writes the flow's last row. Records of one flow index come in the order of its flows.
    void on_flow_end(const dataplane::FlowRecord& record);

    /// Flows seen that have not ended yet.
    [[nodiscard]] std::size_t open_flows() const noexcept { return last_.size(); }
    [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::uint64_t labelled_rows() const noexcept { return labelled_rows_; }

  private:
    struct Last {
        dataplane::Flow flow;
        FlowLabel label;
        dataplane::FeatureRow row;
    };
    void write(
        const dataplane::Flow& flow,
        const FlowLabel& label,
        const dataplane::FeatureRow& row,
        std::uint32_t decision);

    ExtractColumns columns_;
    const CaptureLabels* labels_;
    Sink sink_;
    std::unordered_map<std::uint32_t, Last> last_;  ///< by flow index
    std::unordered_map<std::uint32_t, std::uint32_t>
        told_;  ///< ends written before their records came
    std::uint64_t rows_ = 0;
    std::uint64_t labelled_rows_ = 0;
};

}  // namespace weir::app
