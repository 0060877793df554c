// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_rows.h"

#include "control/app/verdicts.h"
#include "control/lab/labels_csv.h"
#include "dataplane/features/catalog.h"

#include <array>
#include <bit>
#include <charconv>
#include <utility>

#include <arpa/inet.h>

namespace weir::app {

namespace {

constexpr const char* kFlowColumns =
    "file,src,sport,dst,dport,proto,vlan,tunnel,first_ts,last_ts,packet,bytes,decision,label,group";

template <typename T>
void append_number(std::string& line, T value) {
    std::array<char, 32> text;
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    line.push_back(',');
    line.append(text.data(), error == std::errc() ? end : text.data());
}

void append_seconds(std::string& line, std::uint64_t ns) {
    constexpr std::uint64_t kNsPerS = 1'000'000'000;
    constexpr std::uint64_t kNsPerUs = 1000;
    std::array<char, 32> text;
    const int length = std::snprintf(
        text.data(),
        text.size(),
        ",%llu.%06llu",
        static_cast<unsigned long long>(ns / kNsPerS),
        static_cast<unsigned long long>(ns % kNsPerS / kNsPerUs));
    line.append(text.data(), static_cast<std::size_t>(length));
}

void append_flow(std::string& line, const dataplane::Flow& flow) {
    const dataplane::FlowKey& key = flow.key;
    const bool hi = flow.initiator_is_hi;
    line += "," + address_text(hi ? key.addr_hi : key.addr_lo, key.ip_version);
    append_number(line, ntohs(hi ? key.port_hi : key.port_lo));
    line += "," + address_text(hi ? key.addr_lo : key.addr_hi, key.ip_version);
    append_number(line, ntohs(hi ? key.port_lo : key.port_hi));
    append_number(line, key.proto);
    append_number(line, key.vlan);
    append_number(line, key.tunnel_id);
    append_seconds(line, flow.first_ns);
    append_seconds(line, flow.last_ns);
    append_number(line, std::uint64_t{flow.packets[0]} + flow.packets[1]);
    append_number(line, flow.bytes[0] + flow.bytes[1]);
}

}  // namespace

std::string extract_header(const ExtractColumns& columns) {
    std::string line = kFlowColumns;
    for (const bool codes : {false, true}) {
        if (!(codes ? columns.codes : columns.raw)) {
            continue;
        }
        for (const dataplane::FeatureInfo& feature : dataplane::catalog()) {
            line += "," + std::string(feature.name) + (codes ? "_code" : "");
        }
    }
    return line;
}

ExtractRows::ExtractRows(const ExtractColumns& columns, const FlowLabels* labels, Sink sink)
    : columns_(columns), labels_(labels), sink_(std::move(sink)) {}

void ExtractRows::begin_capture(const std::string& path) {
    capture_ = lab::csv_field(std::string_view(path).substr(path.rfind('/') + 1));
    capture_labels_ = labels_ != nullptr ? labels_->of(path) : nullptr;
    last_.clear();
    told_.clear();
}

void ExtractRows::on_row(
    const dataplane::Batch& batch,
    std::uint32_t i,
    std::uint32_t flow_index,
    const dataplane::Flow& flow,
    const dataplane::FeatureRow& row) noexcept {
    static_cast<void>(batch);
    static_cast<void>(i);
    const std::uint64_t packets = std::uint64_t{flow.packets[0]} + flow.packets[1];
    const auto [entry, fresh] = last_.try_emplace(flow_index);
    Last& last = entry->second;
    if (packets == 1) {
        if (!fresh) {
            // Another flow has taken the place before the record of the one there was delivered.
            ++told_[flow_index];
            if (columns_.ends) {
                write(last.flow, last.label, last.row, "end");
            }
        }
        const FlowLabel* label =
            capture_labels_ != nullptr ? capture_labels_->find(flow.key) : nullptr;
        last.label = label != nullptr ? *label : FlowLabel{};
    }
    last.flow = flow;
    last.row = row;
    if (columns_.decisions && std::has_single_bit(packets)) {
        write(flow, last.label, row, std::to_string(packets));
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
        write(last->second.flow, last->second.label, last->second.row, "end");
    }
    last_.erase(last);
}

void ExtractRows::write(
    const dataplane::Flow& flow,
    const FlowLabel& label,
    const dataplane::FeatureRow& row,
    const std::string& decision) {
    line_ = capture_;
    append_flow(line_, flow);
    line_ += "," + decision + ",";
    if (label.label != 0) {
        line_ += lab::csv_field(labels_->name(label.label));
    }
    line_ += "," + (label.group != 0 ? lab::csv_field(labels_->name(label.group)) : capture_);
    if (columns_.raw) {
        for (std::uint32_t id = 0; id < dataplane::feature_count(); ++id) {
            append_number(line_, row.raw[id]);
        }
    }
    if (columns_.codes) {
        for (std::uint32_t id = 0; id < dataplane::feature_count(); ++id) {
            append_number(line_, row.codes[id]);
        }
    }
    ++rows_;
    labelled_rows_ += label.label != 0 ? 1 : 0;
    sink_(line_);
}

}  // namespace weir::app
