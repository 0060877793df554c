// SPDX-License-Identifier: BSD-3-Clause
#include "control/app/extract_labels.h"

#include "control/lab/labels_csv.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include <arpa/inet.h>

namespace weir::app {

namespace {

using Endpoint = std::array<std::uint8_t, 18>;

template <typename T>
[[nodiscard]] std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                    : std::nullopt;
}

// IPv4 as IPv4-mapped IPv6, as in a FlowKey.
[[nodiscard]] std::optional<std::array<std::uint8_t, 16>> parse_address(std::string_view text) {
    const std::string address(text);
    std::array<std::uint8_t, 16> out{};
    constexpr std::size_t kV4Offset = 12;
    if (inet_pton(AF_INET, address.c_str(), out.data() + kV4Offset) == 1) {
        out[10] = 0xff;
        out[11] = 0xff;
        return out;
    }
    return inet_pton(AF_INET6, address.c_str(), out.data()) == 1 ? std::optional(out)
                                                                 : std::nullopt;
}

[[nodiscard]] Endpoint endpoint(
    const std::array<std::uint8_t, 16>& address, std::uint16_t network_port) {
    Endpoint out{};
    std::copy(address.begin(), address.end(), out.begin());
    std::memcpy(out.data() + address.size(), &network_port, sizeof(network_port));
    return out;
}

[[nodiscard]] std::array<std::uint8_t, 37> make_tuple_of(
    std::uint8_t proto, const Endpoint& a, const Endpoint& b) {
    std::array<std::uint8_t, 37> out{};
    out[0] = proto;
    const auto middle = std::copy(std::min(a, b).begin(), std::min(a, b).end(), out.begin() + 1);
    const Endpoint& high = std::max(a, b);
    std::copy(high.begin(), high.end(), middle);
    return out;
}

[[nodiscard]] bool ends_path(std::string_view path, std::string_view end) {
    return path == end || (path.size() > end.size() && path.ends_with(end) &&
                           path[path.size() - end.size() - 1] == '/');
}

}  // namespace

const FlowLabel* CaptureLabels::find(const dataplane::FlowKey& key) const {
    const auto found = flows_.find(make_tuple_of(
        key.proto, endpoint(key.addr_lo, key.port_lo), endpoint(key.addr_hi, key.port_hi)));
    return found != flows_.end() ? &found->second.label : nullptr;
}

struct FlowLabels::Columns {
    std::array<std::size_t, 7> at{};
    std::optional<std::size_t> group;
    std::string path;
};

Result<FlowLabels> FlowLabels::read(const std::string& path) {
    auto csv = lab::CsvReader::open(path);
    if (!csv) {
        return tl::unexpected(csv.error());
    }
    const auto at = csv->columns(
        std::array<std::string_view, 7>{"file", "proto", "src", "sport", "dst", "dport", "label"});
    if (!at) {
        return tl::unexpected(at.error());
    }
    FlowLabels labels;
    const Columns columns{*at, csv->find("group"), path};
    labels.has_groups_ = columns.group.has_value();
    const auto done = csv->each([&](const std::vector<std::string_view>& fields) -> Result<void> {
        const std::string where = csv->where();
        const auto line =
            parse_number<std::uint64_t>(std::string_view(where).substr(where.rfind(':') + 1));
        return labels.add(fields, columns, line.value_or(0));
    });
    if (!done) {
        return tl::unexpected(done.error());
    }
    return labels;
}

Result<void> FlowLabels::add(
    const std::vector<std::string_view>& fields, const Columns& at, std::uint64_t line) {
    const auto field = [&](std::size_t c) { return fields[at.at[c]]; };
    const auto bad = [&](const char* column, std::size_t c, const char* fix) {
        return fail(
            at.path + ":" + std::to_string(line),
            column,
            lab::in_quotes(field(c)) + " is not valid",
            fix);
    };
    const auto proto = parse_number<std::uint8_t>(field(1));
    const auto src = parse_address(field(2));
    const auto sport = parse_number<std::uint16_t>(field(3));
    const auto dst = parse_address(field(4));
    const auto dport = parse_number<std::uint16_t>(field(5));
    if (field(0).empty()) {
        return bad("file", 0, "name the capture");
    }
    if (!proto) {
        return bad("proto", 1, "write the IP protocol's number, 0 to 255");
    }
    if (!src || !dst) {
        return !src ? bad("src", 2, "write an IP address") : bad("dst", 4, "write an IP address");
    }
    if (!sport || !dport) {
        return !sport ? bad("sport", 3, "write a port, 0 to 65535")
                      : bad("dport", 5, "write a port, 0 to 65535");
    }
    if (field(6).empty()) {
        return bad("label", 6, "write a label, or leave the row out");
    }
    const FlowLabel label{intern(field(6)), at.group ? intern(fields[*at.group]) : 0};
    CaptureLabels& capture = files_.try_emplace(std::string(field(0))).first->second;
    const auto tuple =
        make_tuple_of(*proto, endpoint(*src, htons(*sport)), endpoint(*dst, htons(*dport)));
    const auto [entry, fresh] =
        capture.flows_.try_emplace(tuple, CaptureLabels::Entry{label, line});
    if (!fresh && entry->second.label.label != label.label) {
        return fail(
            at.path + ":" + std::to_string(line),
            "label",
            lab::in_quotes(field(6)) + " contradicts line " + std::to_string(entry->second.line) +
                ", which calls this flow " + lab::in_quotes(names_[entry->second.label.label]),
            "keep one of the two");
    }
    return {};
}

std::uint32_t FlowLabels::intern(std::string_view name) {
    if (const auto found = index_.find(name); found != index_.end()) {
        return found->second;
    }
    const auto index = static_cast<std::uint32_t>(names_.size());
    names_.emplace_back(name);
    index_.emplace(std::string(name), index);
    return index;
}

const CaptureLabels* FlowLabels::of(const std::string& capture) const {
    const CaptureLabels* best = nullptr;
    std::size_t longest = 0;
    for (const auto& [file, labels] : files_) {
        if (file.size() > longest && ends_path(capture, file)) {
            best = &labels;
            longest = file.size();
        }
    }
    return best;
}

}  // namespace weir::app
