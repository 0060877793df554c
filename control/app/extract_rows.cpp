// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_rows.h"

#include <bit>
#include <utility>

namespace weir::app {

ExtractRows::ExtractRows(const ExtractColumns& columns, const CaptureLabels* labels, Sink sink)
    : columns_(columns), labels_(labels), sink_(std::move(sink)) {}

void ExtractRows::on_row(
    const dataplane::Batch& batch,
    std::uint32_t i,
    std::uint32_t flow_index,
    const dataplane::Flow& flow,
    const dataplane::FeatureRow& row) noexcept {
    static_cast<void>(batch);
    static_cast<void>(i);
    const std::uint64_t packets = flow.all_packets();
    const auto [entry, fresh] = last_.try_emplace(flow_index);
    Last& last = entry->second;
    if (packets == 1) {
        if (!fresh) {
            // Another flow has taken the place before the record of the one there was delivered.
            ++told_[flow_index];
            if (columns_.ends) {
                write(last.flow, last.label, last.row, 0);
            }
        }
        const FlowLabel* label = labels_ != nullptr ? labels_->find(flow.key()) : nullptr;
        last.label = label != nullptr ? *label : FlowLabel{};
    }
    last.flow = flow;
    last.row = row;
    if (columns_.decisions && std::has_single_bit(packets)) {
        write(flow, last.label, row, static_cast<std::uint32_t>(packets));
    }
}

void ExtractRows::on_flow_end(const dataplane::FlowRecord& record) {
    if (const auto told = told_.find(record.flow); told != told_.end()) {
        if (--told->second == 0) {
            told_.erase(told);
        }
        return;
    }
    const auto last = last_.find(record.flow);
    if (last == last_.end()) {
        return;
    }
    if (columns_.ends) {
        write(last->second.flow, last->second.label, last->second.row, 0);
    }
    last_.erase(last);
}

void ExtractRows::write(
    const dataplane::Flow& flow,
    const FlowLabel& label,
    const dataplane::FeatureRow& row,
    std::uint32_t decision) {
    ++rows_;
    labelled_rows_ += label.label != 0 ? 1 : 0;
    sink_({flow, label, row, decision});
}

}  // namespace weir::app
