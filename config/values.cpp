// SPDX-License-Identifier: BSD-3-Clause
// Readers of single values: strict, since YAML's own guesses (yes, off, 010, 1_000) surprise.
#include "config/load.h"
#include "config/schema.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

namespace weir::config {

namespace {

std::string kind_of(const Node& node) {
    switch (node.kind) {
        case Node::Kind::null:
            return "nothing";
        case Node::Kind::sequence:
            return "a list";
        case Node::Kind::map:
            return "a map";
        case Node::Kind::scalar:
            break;
    }
    return node.quoted ? "the text " + quote(node.text) : quote(node.text);
}

template <typename N>
bool parse_whole(const std::string& text, N& out) {
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, out);
    return error == std::errc{} && at == end && !text.empty();
}

bool is_digits(const std::string& text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

std::uint32_t Context::line(std::string path) const {
    while (!path.empty()) {
        if (const auto at = lines.find(path); at != lines.end()) {
            return at->second;
        }
        const auto cut = path.find_last_of(".[");
        path.resize(cut == std::string::npos ? 0 : cut);
    }
    return 0;
}

void Context::add(const std::string& path, std::string what, std::string fix) {
    findings.add(line(path), path, std::move(what), std::move(fix));
}

void add_wrong_type(
    Context& context,
    const Node& node,
    const std::string& path,
    const std::string& wanted,
    const std::string& fix) {
    context.findings.add(node.line, path, "must be " + wanted + ", found " + kind_of(node), fix);
}

bool read_number(
    Context& context,
    const Node& node,
    const std::string& path,
    std::uint64_t min,
    std::uint64_t max,
    std::uint64_t& out) {
    const std::string range = std::to_string(min) + " to " + std::to_string(max);
    if (node.kind == Node::Kind::scalar && !node.quoted && is_digits(node.text)) {
        if (parse_whole(node.text, out) && out >= min && out <= max) {
            return true;
        }
        context.findings.add(
            node.line, path, node.text.substr(0, 32) + " is out of range", "use " + range);
        return false;
    }
    const bool only_quoted = node.kind == Node::Kind::scalar && node.quoted && is_digits(node.text);
    add_wrong_type(
        context,
        node,
        path,
        "a whole number",
        only_quoted ? "remove the quotes" : "write a plain decimal number, " + range);
    return false;
}

bool read_share(Context& context, const Node& node, const std::string& path, double& out) {
    double value = 0;
    if (node.kind != Node::Kind::scalar || node.quoted || !parse_whole(node.text, value)) {
        add_wrong_type(
            context, node, path, "a number", "write a plain number, 0 to 1, such as 0.9");
        return false;
    }
    if (!(value >= 0.0 && value <= 1.0)) {  // NaN is neither
        context.findings.add(
            node.line,
            path,
            quote(node.text) + " is out of range",
            value > 1.0 && value <= 100.0 ? "use 0 to 1: a share, not a percentage" : "use 0 to 1");
        return false;
    }
    out = std::abs(value);  // -0 is 0
    return true;
}

bool read_flag(Context& context, const Node& node, const std::string& path, bool& out) {
    if (node.kind == Node::Kind::scalar && !node.quoted &&
        (node.text == "true" || node.text == "false")) {
        out = node.text == "true";
        return true;
    }
    std::string low = node.text;
    std::transform(low.begin(), low.end(), low.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const bool yes = low == "yes" || low == "on" || low == "1" || low == "true";
    const bool no = low == "no" || low == "off" || low == "0" || low == "false";
    add_wrong_type(
        context,
        node,
        path,
        "true or false",
        yes  ? "write true"
        : no ? "write false"
             : "write true or false, without quotes");
    return false;
}

bool read_text(Context& context, const Node& node, const std::string& path, std::string& out) {
    if (node.kind != Node::Kind::scalar) {
        add_wrong_type(context, node, path, "text", "write one value on the key's line");
        return false;
    }
    const bool control = std::any_of(node.text.begin(), node.text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    constexpr std::size_t kMaxText = 4096;
    if (control || node.text.size() > kMaxText) {
        context.findings.add(
            node.line,
            path,
            control ? "a control character in " + quote(node.text) : "longer than 4096 characters",
            control ? "write plain text on one line" : "shorten it");
        return false;
    }
    out = node.text;
    return true;
}

bool read_file_name(Context& context, const Node& node, const std::string& path, std::string& out) {
    std::string name;
    if (!read_text(context, node, path, name)) {
        return false;
    }
    if (name.empty()) {
        context.findings.add(
            node.line, path, "an empty path", "name a file or directory, or remove the key");
        return false;
    }
    const std::filesystem::path given(name);
    const std::filesystem::path directory(context.directory);
    out = given.is_absolute() || context.directory.empty()
              ? name
              : (directory / given).lexically_normal().string();
    return true;
}

bool read_optional_file(
    Context& context, const Node& node, const std::string& path, std::string& out) {
    if (node.kind == Node::Kind::scalar && node.text.empty()) {
        out.clear();
        return true;
    }
    return read_file_name(context, node, path, out);
}

bool read_dscp(Context& context, const Node& node, const std::string& path, std::uint8_t& out) {
    if (node.kind != Node::Kind::scalar) {
        add_wrong_type(
            context, node, path, "a DSCP", "write an RFC name such as EF or AF41, or 0 to 63");
        return false;
    }
    if (const auto dscp = parse_dscp(node.text)) {
        out = *dscp;
        return true;
    }
    static const std::vector<std::string_view> kNames = {
        "DF",   "LE",   "EF",   "VA",   "CS0",  "CS1",  "CS2",  "CS3",
        "CS4",  "CS5",  "CS6",  "CS7",  "AF11", "AF12", "AF13", "AF21",
        "AF22", "AF23", "AF31", "AF32", "AF33", "AF41", "AF42", "AF43"};
    std::string upper = node.text;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    const std::string_view near = is_digits(upper) ? std::string_view{} : nearest(upper, kNames);
    context.findings.add(
        node.line,
        path,
        quote(node.text) + " is no DSCP",
        (near.empty() ? std::string() : "did you mean " + quote(near) + "? ") +
            "use 0 to 63, or EF, VA, LE, DF, CS0 to CS7, AF11 to AF43");
    return false;
}

bool read_choice(
    Context& context,
    const Node& node,
    const std::string& path,
    const std::vector<std::string_view>& words,
    std::size_t& out) {
    if (node.kind != Node::Kind::scalar) {
        add_wrong_type(context, node, path, "one word", "use one of: " + list_words(words));
        return false;
    }
    const auto at = std::find(words.begin(), words.end(), node.text);
    if (at == words.end()) {
        context.findings.add(
            node.line, path, quote(node.text) + " is not a choice here", suggest(node.text, words));
        return false;
    }
    out = static_cast<std::size_t>(at - words.begin());
    return true;
}

bool expect_list(Context& context, const Node& node, const std::string& path) {
    if (node.kind == Node::Kind::sequence || node.kind == Node::Kind::null) {
        return true;
    }
    add_wrong_type(context, node, path, "a list", "write [ ... ], or one '- ' item a line");
    return false;
}

bool expect_map(Context& context, const Node& node, const std::string& path) {
    if (node.kind == Node::Kind::map || node.kind == Node::Kind::null) {
        return true;
    }
    add_wrong_type(context, node, path, "a map", "write one 'key: value' a line, indented");
    return false;
}

void add_unknown_key(
    Context& context,
    const Node::Key& key,
    const std::string& parent,
    const std::vector<std::string_view>& names) {
    std::string fix = "keys here: " + list_words(names);
    if (const auto near = nearest(key.text, names); !near.empty()) {
        fix = "did you mean " + quote(near) + "?";
    } else {
        for (const KeyDoc& other : all_keys()) {
            if (other.path.substr(other.path.find_last_of('.') + 1) == key.text) {
                fix = "it belongs at " + other.path;
                break;
            }
        }
    }
    context.findings.add(
        key.line, join_path(parent, key.text), "unknown key " + quote(key.text), fix);
}

}  // namespace weir::config
