// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_csv.h"

#include "control/app/verdicts.h"
#include "control/lab/labels_csv.h"
#include "dataplane/features/catalog.h"

#include <array>
#include <charconv>
#include <cstdio>

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

void append_seconds(std::string& line, std::uint64_t us) {
    constexpr std::uint64_t kUsPerS = 1'000'000;
    std::array<char, 32> text;
    const int length = std::snprintf(
        text.data(),
        text.size(),
        ",%llu.%06llu",
        static_cast<unsigned long long>(us / kUsPerS),
        static_cast<unsigned long long>(us % kUsPerS));
    line.append(text.data(), static_cast<std::size_t>(length));
}

void append_flow(std::string& line, const dataplane::Flow& flow) {
    const dataplane::FlowKey key = flow.key();
    const bool hi = flow.initiator_is_hi();
    line += "," + address_text(hi ? key.addr_hi : key.addr_lo, key.ip_version);
    append_number(line, ntohs(hi ? key.port_hi : key.port_lo));
    line += "," + address_text(hi ? key.addr_lo : key.addr_hi, key.ip_version);
    append_number(line, ntohs(hi ? key.port_lo : key.port_hi));
    append_number(line, key.proto);
    append_number(line, key.vlan);
    append_number(line, key.tunnel_id);
    append_seconds(line, flow.first_us());
    append_seconds(line, flow.last_us());
    append_number(line, flow.all_packets());
    append_number(line, flow.bytes(0) + flow.bytes(1));
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

ExtractCsv::ExtractCsv(
    const ExtractColumns& columns, const FlowLabels* labels, const std::string& capture)
    : columns_(columns),
      labels_(labels),
      capture_(lab::csv_field(std::string_view(capture).substr(capture.rfind('/') + 1))) {}

void ExtractCsv::append(const ExtractRow& row, std::string& out) const {
    out += capture_;
    append_flow(out, row.flow);
    if (row.decision == 0) {
        out += ",end";
    } else {
        append_number(out, row.decision);
    }
    out.push_back(',');
    if (row.label.label != 0) {
        out += lab::csv_field(labels_->name(row.label.label));
    }
    out.push_back(',');
    out += row.label.group != 0 ? lab::csv_field(labels_->name(row.label.group)) : capture_;
    if (columns_.raw) {
        for (std::uint32_t id = 0; id < dataplane::feature_count(); ++id) {
            append_number(out, row.features.raw[id]);
        }
    }
    if (columns_.codes) {
        for (std::uint32_t id = 0; id < dataplane::feature_count(); ++id) {
            append_number(out, row.features.codes[id]);
        }
    }
    out.push_back('\n');
}

}  // namespace weir::app
