// SPDX-License-Identifier: BSD-3-Clause
// config/weir.schema.json, written from the same table that reads the file.
#include "config/keys.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

namespace weir::config {

namespace {

/// A key, or a map or list with keys below.
struct Branch {
    const KeyDoc* doc = nullptr;
    std::vector<std::pair<std::string, std::unique_ptr<Branch>>> children;

    Branch& child(const std::string& name) {
        const auto at = std::find_if(
            children.begin(), children.end(), [&](const auto& c) { return c.first == name; });
        return at != children.end()
                   ? *at->second
                   : *children.emplace_back(name, std::make_unique<Branch>()).second;
    }
};

/// "ports[].mtu" → ports, [], mtu; names in capitals stand for any name.
std::vector<std::string> steps_of(const std::string& path) {
    std::vector<std::string> steps;
    std::string step;
    for (const char c : path + ".") {
        if (c != '.') {
            step += c;
            continue;
        }
        const bool list = step.size() > 2 && step.ends_with("[]");
        steps.push_back(list ? step.substr(0, step.size() - 2) : step);
        if (list) {
            steps.emplace_back("[]");
        }
        step.clear();
    }
    return steps;
}

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    }
    return out + "\"";
}

bool is_whole(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "68 to 16384" as bounds; false: not a range.
bool range_of(const std::string& type, std::string& low, std::string& high) {
    const auto to = type.find(" to ");
    low = type.substr(0, to);
    high = to == std::string::npos ? std::string() : type.substr(to + 4);
    return is_whole(low) && is_whole(high);
}

/// "pass, drop" as words; empty: the type is another.
std::vector<std::string> words_of(const std::string& type) {
    std::vector<std::string> words;
    std::string rest = type;
    while (!rest.empty()) {
        const auto comma = rest.find(", ");
        words.push_back(rest.substr(0, comma));
        rest = comma == std::string::npos ? std::string() : rest.substr(comma + 2);
        const auto& word = words.back();
        if (word.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != std::string::npos) {
            return {};
        }
    }
    return words.size() > 1 ? words : std::vector<std::string>();
}

std::string value_schema(const KeyDoc& doc) {
    std::string low;
    std::string high;
    if (range_of(doc.type, low, high)) {
        const bool share = low == "0" && high == "1";
        return std::string("\"type\": ") + (share ? "\"number\"" : "\"integer\"") +
               ", \"minimum\": " + low + ", \"maximum\": " + high;
    }
    if (doc.type == "true, false") {
        return "\"type\": \"boolean\"";
    }
    if (doc.type.starts_with("list of")) {
        return "\"type\": \"array\"";
    }
    if (doc.type.starts_with("map of")) {
        return "\"type\": \"object\"";
    }
    if (doc.type.find(", or list of") != std::string::npos) {
        return "\"type\": [\"string\", \"array\"]";
    }
    if (const auto words = words_of(doc.type); !words.empty()) {
        std::string all;
        for (const auto& word : words) {
            all += (all.empty() ? "" : ", ") + quoted(word);
        }
        return "\"enum\": [" + all + "]";
    }
    const bool many =
        doc.type.find('{') != std::string::npos || doc.type.find("0 to 63") != std::string::npos;
    return many ? "\"type\": [\"string\", \"integer\", \"object\"]" : "\"type\": \"string\"";
}

std::string schema_of(const Branch& branch, const std::string& indent) {
    const std::string deeper = indent + "  ";
    std::string out = "{";
    if (branch.doc != nullptr) {
        out += "\n" + deeper + "\"description\": " +
               quoted(branch.doc->text + " Default: " + branch.doc->value + ".") + ",";
    }
    if (branch.children.empty()) {
        return out + "\n" + deeper + (branch.doc ? value_schema(*branch.doc) : "") + "\n" + indent +
               "}";
    }
    const auto& first = branch.children.front();
    if (first.first == "[]") {
        return out + "\n" + deeper + "\"type\": \"array\",\n" + deeper +
               "\"items\": " + schema_of(*first.second, deeper) + "\n" + indent + "}";
    }
    out += "\n" + deeper + "\"type\": [\"object\", \"null\"],\n" + deeper;
    if (first.first == "NAME" || first.first == "CLASS") {
        return out + "\"additionalProperties\": " + schema_of(*first.second, deeper) + "\n" +
               indent + "}";
    }
    out += "\"additionalProperties\": false,\n" + deeper + "\"properties\": {";
    std::string required;
    for (std::size_t i = 0; i < branch.children.size(); ++i) {
        const auto& [name, child] = branch.children[i];
        out += (i == 0 ? "\n" : ",\n") + deeper + "  " + quoted(name) + ": " +
               schema_of(*child, deeper + "  ");
        if (child->doc != nullptr && child->doc->value == "required") {
            required += (required.empty() ? "" : ", ") + quoted(name);
        }
    }
    out += "\n" + deeper + "}";
    if (!required.empty()) {
        out += ",\n" + deeper + "\"required\": [" + required + "]";
    }
    return out + "\n" + indent + "}";
}

}  // namespace

std::string json_schema() {
    Branch root;
    for (const KeyDoc& doc : all_keys()) {
        Branch* at = &root;
        for (const auto& step : steps_of(doc.path)) {
            at = &at->child(step);
        }
        at->doc = &doc;
    }
    const std::string body = schema_of(root, "");
    return "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n"
           "  \"title\": \"weir.yaml\"," +
           body.substr(1) + "\n";
}

}  // namespace weir::config
