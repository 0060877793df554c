// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/train_table.h"

#include "control/lab/labels_csv.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <numeric>
#include <unordered_map>

#include <sodium.h>

namespace weir::lab {
namespace {

/// The code of feature x stands in column "x_code", its raw value in "x".
constexpr std::string_view kCodeSuffix = "_code";

/// Columns that make a flow; an extract that names them otherwise is not one.
constexpr std::array<std::string_view, 7> kFlowColumns{
    "file", "proto", "src", "sport", "dst", "dport", "first_ts"};

/// A row as read, before the rows of each flow are brought together.
struct RawRows {
    std::vector<std::uint8_t> codes;
    std::vector<std::uint32_t> packets;
    std::vector<std::uint32_t> flow;
};

template <typename T>
Result<T> number(const CsvReader& csv, std::size_t column, std::string_view what) {
    const auto text = csv.fields()[column];
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
        return fail(
            csv.where(),
            csv.header()[column],
            in_quotes(text) + " is not " + std::string(what),
            "extract again");
    }
    return value;
}

/// Reads one table row by row.
class Loader {
  public:
    Loader(CsvReader& csv, const TableOptions& options) : csv_(csv), options_(options) {
        table_.classes = options.classes;
    }

    Result<FeatureTable> load() {
        if (auto found = find_columns(); !found) {
            return tl::unexpected(found.error());
        }
        if (auto read = csv_.each([this](const auto& fields) { return add(fields); }); !read) {
            return tl::unexpected(read.error());
        }
        if (rows_.packets.empty()) {
            return fail(options_.path, "label", "no row has a label", "extract with --labels");
        }
        arrange();
        return std::move(table_);
    }

  private:
    Result<void> find_columns() {
        const auto flow = csv_.columns(kFlowColumns);
        const auto own = csv_.columns(std::array<std::string_view, 6>{
            "packet", "label", "group", "file", "first_ts", "last_ts"});
        if (!flow || !own) {
            return tl::unexpected(!flow ? flow.error() : own.error());
        }
        flow_columns_ = *flow;
        packet_ = (*own)[0];
        label_ = (*own)[1];
        group_ = (*own)[2];
        file_ = (*own)[3];
        begin_ = (*own)[4];
        end_ = (*own)[5];
        if (!options_.only.empty()) {
            for (const auto& feature : options_.only) {
                const auto column = csv_.column(feature + std::string(kCodeSuffix));
                if (!column) {
                    return tl::unexpected(column.error());
                }
                use(feature, *column);
            }
            return {};
        }
        for (std::size_t i = 0; i < csv_.header().size(); ++i) {
            const std::string& name = csv_.header()[i];
            if (name.ends_with(kCodeSuffix)) {
                const std::string feature = name.substr(0, name.size() - kCodeSuffix.size());
                if (!matches_any(feature, options_.exclude)) {
                    use(feature, i);
                }
            }
        }
        if (code_columns_.empty()) {
            return fail(
                options_.path + ":1",
                "",
                "no column of feature codes is left",
                "exclude fewer features");
        }
        return {};
    }

    void use(const std::string& feature, std::size_t column) {
        table_.features.push_back(feature);
        code_columns_.push_back(column);
    }

    Result<void> add(const std::vector<std::string_view>& fields) {
        const auto label = fields[label_];
        if (label.empty()) {
            return {};
        }
        auto cls = std::find(table_.classes.begin(), table_.classes.end(), label);
        if (cls == table_.classes.end() && options_.others) {
            --cls;
        }
        if (cls == table_.classes.end()) {
            return fail(
                csv_.where(),
                "label",
                in_quotes(label) + " is none of the slot's classes",
                "extract with the slot's labels");
        }
        const auto packet = number<std::uint32_t>(csv_, packet_, "a packet number");
        const auto begin = number<double>(csv_, begin_, "a time in seconds");
        const auto end = number<double>(csv_, end_, "a time in seconds");
        for (const auto* error :
             {packet ? nullptr : &packet.error(),
              begin ? nullptr : &begin.error(),
              end ? nullptr : &end.error()}) {
            if (error != nullptr) {
                return tl::unexpected(*error);
            }
        }
        for (const std::size_t column : code_columns_) {
            const auto code = number<std::uint8_t>(csv_, column, "a code from 0 to 255");
            if (!code) {
                return tl::unexpected(code.error());
            }
            rows_.codes.push_back(*code);
        }
        rows_.packets.push_back(*packet);
        const std::uint32_t flow =
            flow_of(fields, static_cast<std::uint32_t>(cls - table_.classes.begin()));
        rows_.flow.push_back(flow);
        table_.flows[flow].begin = *begin;
        table_.flows[flow].end = std::max(table_.flows[flow].end, *end);
        return {};
    }

    std::uint32_t flow_of(const std::vector<std::string_view>& fields, std::uint32_t label) {
        std::string key;
        for (const std::size_t column : flow_columns_) {
            key.append(fields[column]).push_back('\n');
        }
        const auto [it, fresh] =
            flow_ids_.emplace(std::move(key), static_cast<std::uint32_t>(table_.flows.size()));
        if (fresh) {
            const auto group = group_ids_.emplace(
                fields[group_], static_cast<std::uint32_t>(table_.groups.size()));
            if (group.second) {
                table_.groups.emplace_back(fields[group_]);
            }
            const auto capture = capture_ids_.emplace(fields[file_], table_.captures);
            table_.captures += capture.second ? 1 : 0;
            table_.flows.push_back({label, group.first->second, 0, 0, capture.first->second});
        }
        return it->second;
    }

    /// Rows in order of flow, then of packets seen.
    void arrange() {
        std::vector<std::uint32_t> order(rows_.packets.size());
        std::iota(order.begin(), order.end(), 0U);
        std::stable_sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
            return std::pair(rows_.flow[a], rows_.packets[a]) <
                   std::pair(rows_.flow[b], rows_.packets[b]);
        });
        const std::size_t width = table_.features.size();
        table_.codes.reserve(rows_.codes.size());
        for (const std::uint32_t r : order) {
            auto& flow = table_.flows[rows_.flow[r]];
            if (flow.rows == 0) {
                flow.first_row = table_.rows();
            }
            ++flow.rows;
            table_.packets.push_back(rows_.packets[r]);
            table_.flow_of.push_back(rows_.flow[r]);
            const auto* codes = rows_.codes.data() + std::size_t{r} * width;
            table_.codes.insert(table_.codes.end(), codes, codes + width);
        }
    }

    CsvReader& csv_;
    const TableOptions& options_;
    FeatureTable table_;
    RawRows rows_;
    std::array<std::size_t, kFlowColumns.size()> flow_columns_{};
    std::size_t packet_ = 0;
    std::size_t label_ = 0;
    std::size_t group_ = 0;
    std::size_t file_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::vector<std::size_t> code_columns_;
    std::unordered_map<std::string, std::uint32_t> flow_ids_;
    std::unordered_map<std::string, std::uint32_t> group_ids_;
    std::unordered_map<std::string, std::uint32_t> capture_ids_;
};

std::string to_hex(const std::array<unsigned char, crypto_hash_sha256_BYTES>& hash) {
    std::string hex(2 * hash.size() + 1, '\0');
    sodium_bin2hex(hex.data(), hex.size(), hash.data(), hash.size());
    hex.pop_back();
    return hex;
}

Result<std::string> file_digest(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    std::vector<char> block(std::size_t{1} << 20);
    while (in) {
        in.read(block.data(), static_cast<std::streamsize>(block.size()));
        crypto_hash_sha256_update(
            &state,
            reinterpret_cast<const unsigned char*>(block.data()),
            static_cast<unsigned long long>(in.gcount()));
    }
    if (!in.eof()) {
        return fail(path, "", "cannot be read");
    }
    std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256_final(&state, hash.data());
    return to_hex(hash);
}

bool matches(std::string_view name, std::string_view pattern) {
    if (pattern.empty()) {
        return name.empty();
    }
    if (pattern.front() == '*') {
        return matches(name, pattern.substr(1)) ||
               (!name.empty() && matches(name.substr(1), pattern));
    }
    return !name.empty() && name.front() == pattern.front() &&
           matches(name.substr(1), pattern.substr(1));
}

}  // namespace

bool matches_any(std::string_view name, std::span<const std::string> patterns) {
    return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) {
        return matches(name, pattern);
    });
}

Result<void> append_table(FeatureTable& table, const FeatureTable& more) {
    if (more.features != table.features || more.classes != table.classes) {
        return fail(
            "train",
            "features",
            "the two tables have different columns or classes",
            "extract both with the same version of weir");
    }
    const auto rows = table.rows();
    const auto flows = static_cast<std::uint32_t>(table.flows.size());
    const auto groups = static_cast<std::uint32_t>(table.groups.size());
    for (TableFlow flow : more.flows) {
        flow.group += groups;
        flow.first_row += rows;
        flow.capture += table.captures;
        table.flows.push_back(flow);
    }
    for (const std::uint32_t flow : more.flow_of) {
        table.flow_of.push_back(flow + flows);
    }
    table.captures += more.captures;
    table.groups.insert(table.groups.end(), more.groups.begin(), more.groups.end());
    table.codes.insert(table.codes.end(), more.codes.begin(), more.codes.end());
    table.packets.insert(table.packets.end(), more.packets.begin(), more.packets.end());
    const std::string both = table.digest + more.digest;
    std::array<unsigned char, crypto_hash_sha256_BYTES> hash{};
    crypto_hash_sha256(
        hash.data(), reinterpret_cast<const unsigned char*>(both.data()), both.size());
    table.digest = to_hex(hash);
    return {};
}

Result<FeatureTable> load_table(const TableOptions& options) {
    auto digest = file_digest(options.path);
    auto csv = CsvReader::open(options.path);
    if (!csv || !digest) {
        return tl::unexpected(!csv ? csv.error() : digest.error());
    }
    auto table = Loader(*csv, options).load();
    if (table) {
        table->digest = std::move(*digest);
    }
    return table;
}

}  // namespace weir::lab
