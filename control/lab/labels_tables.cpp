// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/labels_tables.h"

#include "control/lab/labels_csv.h"

#include <array>
#include <charconv>
#include <filesystem>

namespace weir::lab {
namespace {

using Names = std::string_view;
using Fields = std::vector<std::string_view>;

template <typename T>
bool parse_number(std::string_view text, T& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
}

/// IP protocol by number or by the names the per-flow tables use.
bool parse_proto(std::string_view text, std::uint8_t& out) {
    static const std::map<std::string_view, std::uint8_t> kNumbers{
        {"TCP", 6},
        {"UDP", 17},
        {"ICMP", 1},
        {"ICMPV6", 58},
        {"IGMP", 2},
        {"ESP", 50},
        {"GRE", 47},
        {"SCTP", 132}};
    if (const auto it = kNumbers.find(text); it != kNumbers.end()) {
        out = it->second;
        return true;
    }
    return parse_number(text, out);
}

tl::unexpected<Error> bad_field(const CsvReader& csv, std::size_t column, std::string fix) {
    const auto text = csv.fields()[column];
    return fail(
        csv.where(), csv.header()[column], in_quotes(text) + " is not valid", std::move(fix));
}

}  // namespace

TupleKey tuple_key(Endpoint a, Endpoint b, std::uint8_t proto) {
    if (proto != 6 && proto != 17 && proto != 132) {
        a.port = 0;
        b.port = 0;
    }
    return a < b ? TupleKey{a, b, proto} : TupleKey{b, a, proto};
}

Result<Corpus> Corpus::read(const std::string& dir) {
    Corpus corpus;
    corpus.dir_ = dir;
    auto done = corpus.read_files();
    if (done) {
        done = corpus.read_groups();
    }
    if (done) {
        // Reviewed labels first: a guess never overrides them.
        done = corpus.read_flows("ndpi_expected_flows.csv", "l4", "ndpi_category", true);
    }
    if (done) {
        done = corpus.read_flows("flows.csv", "ip_proto", "", false);
    }
    if (!done) {
        return tl::unexpected(done.error());
    }
    return corpus;
}

Result<void> Corpus::read_files() {
    auto csv = CsvReader::open(dir_ + "/labels.csv");
    if (!csv) {
        return tl::unexpected(csv.error());
    }
    const auto at =
        csv->columns(std::array<Names, 4>{"file", "label_family", "label", "source_repo"});
    if (!at) {
        return tl::unexpected(at.error());
    }
    return csv->each([&](const Fields& f) -> Result<void> {
        const auto family = f[(*at)[1]];
        if (family.starts_with("benign/") || family.starts_with("attack/")) {
            files_.push_back(
                {std::string(f[(*at)[0]]),
                 std::string(family),
                 std::string(f[(*at)[2]]),
                 std::string(f[(*at)[3]])});
        }
        return {};
    });
}

Result<void> Corpus::read_groups() {
    auto csv = CsvReader::open(dir_ + "/qos_map.csv");
    if (!csv) {
        return tl::unexpected(csv.error());
    }
    const auto at =
        csv->columns(std::array<Names, 3>{"ndpi_category", "ndpi_proto_contains", "service_class"});
    if (!at) {
        return tl::unexpected(at.error());
    }
    return csv->each([&](const Fields& f) -> Result<void> {
        groups_.push_back(
            {std::string(f[(*at)[0]]), std::string(f[(*at)[1]]), std::string(f[(*at)[2]])});
        return {};
    });
}

Result<void> Corpus::read_flows(
    const std::string& table,
    std::string_view proto_column,
    std::string_view category_column,
    bool reviewed) {
    auto csv = CsvReader::open(dir_ + "/" + table);
    if (!csv) {
        return tl::unexpected(csv.error());
    }
    const auto at = csv->columns(std::array<Names, 7>{
        "file", proto_column, "src_ip", "src_port", "dst_ip", "dst_port", "ndpi_proto"});
    if (!at) {
        return tl::unexpected(at.error());
    }
    const auto category = csv->find(category_column);
    return csv->each([&](const Fields& f) -> Result<void> {
        Endpoint a;
        Endpoint b;
        std::uint8_t proto = 0;
        if (!parse_proto(f[(*at)[1]], proto)) {
            return bad_field(*csv, (*at)[1], "write an IP protocol's number, TCP or UDP");
        }
        if (!parse_address(f[(*at)[2]], a.address) || !parse_address(f[(*at)[4]], b.address)) {
            ++unreadable_rows_;  // result files shorten some IPv6 addresses beyond repair
            return {};
        }
        for (const auto& [column, port] : {std::pair{3, &a.port}, std::pair{5, &b.port}}) {
            if (!parse_number(f[(*at)[static_cast<std::size_t>(column)]], *port)) {
                return bad_field(
                    *csv, (*at)[static_cast<std::size_t>(column)], "write a port, 0 to 65535");
            }
        }
        DpiRow row{
            std::string(f[(*at)[6]]),
            category ? std::string(f[*category]) : std::string(),
            reviewed};
        flows_[std::string(f[(*at)[0]])].emplace(tuple_key(a, b, proto), std::move(row));
        return {};
    });
}

const DpiRow* Corpus::find(const std::string& file, const TupleKey& key) const {
    const auto flows = flows_.find(file);
    if (flows == flows_.end()) {
        return nullptr;
    }
    const auto row = flows->second.find(key);
    return row == flows->second.end() ? nullptr : &row->second;
}

std::string_view Corpus::service_class(const DpiRow& row) const {
    // A rule that names a protocol goes before its category's general one.
    std::string_view general;
    for (const auto& group : groups_) {
        if (group.category != row.category) {
            continue;
        }
        if (group.contains.empty()) {
            general = group.service_class;
        } else if (row.proto.find(group.contains) != std::string::npos) {
            return group.service_class;
        }
    }
    return general;
}

Result<std::optional<std::set<std::uint32_t>>> Corpus::packet_labels(const FileRow& file) const {
    const std::string table =
        std::filesystem::path(path(file)).replace_extension(".packet_labels.csv").string();
    if (!std::filesystem::exists(table)) {
        return std::nullopt;
    }
    auto csv = CsvReader::open(table);
    if (!csv) {
        return tl::unexpected(csv.error());
    }
    const auto at = csv->columns(std::array<Names, 2>{"packet_number", "attack"});
    if (!at) {
        return tl::unexpected(at.error());
    }
    std::set<std::uint32_t> attacks;
    const auto done = csv->each([&](const Fields& f) -> Result<void> {
        std::uint32_t packet = 0;
        if (!parse_number(f[(*at)[0]], packet)) {
            return bad_field(*csv, (*at)[0], "write the packet's number in the file, from 1");
        }
        const auto attack = f[(*at)[1]];
        if (attack != "0" && attack != "1") {
            return bad_field(*csv, (*at)[1], "write 0 or 1");
        }
        if (attack == "1") {
            attacks.insert(packet);
        }
        return {};
    });
    if (!done) {
        return tl::unexpected(done.error());
    }
    return attacks;
}

}  // namespace weir::lab
