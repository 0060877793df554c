// SPDX-License-Identifier: BSD-3-Clause
// Feature rows of a replayed capture as CSV.
#pragma once

#include "control/app/extract_labels.h"
#include "dataplane/events.h"
#include "dataplane/rows.h"

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <unordered_map>

namespace weir::app {

struct ExtractColumns {
    bool raw = true;        ///< a column NAME a feature
    bool codes = true;      ///< a column NAME_code a feature
    bool decisions = true;  ///< a row at each flow's packet 1, 2, 4, 8, …
    bool ends = true;       ///< a row at each flow's end
};

/// The header line, without line break: columns of the flow, then every feature's, as the catalog lists them.
[[nodiscard]] std::string extract_header(const ExtractColumns& columns);

/// Turns a worker's rows into CSV lines. Order: by time of decision; an end's row when the end is told, or when the
/// flow's place in the table is seen with a new flow. Thread: one, the worker's.
class ExtractRows final : public dataplane::RowTap {
  public:
    using Sink = std::function<void(const std::string& line)>;

    /// `sink` gets each line, without line break. `labels` may be null; it must outlive this.
    ExtractRows(const ExtractColumns& columns, const FlowLabels* labels, Sink sink);

    /// Rows from now on are of this capture. All flows of the one before must have ended.
    void begin_capture(const std::string& path);
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
        const std::string& decision);

    ExtractColumns columns_;
    const FlowLabels* labels_;
    Sink sink_;
    std::string capture_;  ///< as a CSV field
    const CaptureLabels* capture_labels_ = nullptr;
    std::unordered_map<std::uint32_t, Last> last_;  ///< by flow index
    std::unordered_map<std::uint32_t, std::uint32_t>
        told_;  ///< ends written before their records came
    std::string line_;
    std::uint64_t rows_ = 0;
    std::uint64_t labelled_rows_ = 0;
};

}  // namespace weir::app
