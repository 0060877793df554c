// SPDX-License-Identifier: BSD-3-Clause
// How a key of weir.yaml is declared: once, with its range, its text and the member that it sets. Reading, "did you
// mean", the defaults and the reference page all come from these declarations (see keys.cpp).
#pragma once

#include "config/export.h"
#include "config/findings.h"
#include "config/keys.h"
#include "config/node.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::config {

/// A port named by `pairs` or `taps`, before it is known whether the port exists.
struct PortReference {
    std::string port;
    std::string path;
    std::uint32_t line = 0;
};

/// What reading gathers beside the Config itself.
struct Context {
    Findings& findings;
    std::string directory;  ///< that relative paths start from; empty: the working directory
    std::map<std::string, std::uint32_t> lines{};  ///< of every key that was read, by dotted path
    std::vector<std::vector<PortReference>> pairs{};
    std::vector<PortReference> taps{};
    Export exports{};  ///< see load_export()

    /// The line of the nearest key at or above `path` that the file has; 0: none.
    [[nodiscard]] std::uint32_t line(std::string path) const;
    void add(const std::string& path, std::string what, std::string fix);
};

template <typename T>
struct Key {
    std::string name;
    bool required = false;
    std::function<void(Context&, const Node&, const std::string& path, T&)> read;
    /// Appends the key, or the keys below it, with the values that `defaults` has.
    std::function<void(const std::string& path, const T& defaults, std::vector<KeyDoc>&)> describe;
};

template <typename T>
using Section = std::vector<Key<T>>;

/// Value readers: true and `out` set, or false and a finding. `path` names the value.
bool read_number(
    Context& context,
    const Node& node,
    const std::string& path,
    std::uint64_t min,
    std::uint64_t max,
    std::uint64_t& out);
bool read_share(Context& context, const Node& node, const std::string& path, double& out);
bool read_flag(Context& context, const Node& node, const std::string& path, bool& out);
bool read_text(Context& context, const Node& node, const std::string& path, std::string& out);
/// Text that names a file: resolved against the configuration's directory.
bool read_file_name(Context& context, const Node& node, const std::string& path, std::string& out);
/// The same, or "" for none.
bool read_optional_file(
    Context& context, const Node& node, const std::string& path, std::string& out);
bool read_dscp(Context& context, const Node& node, const std::string& path, std::uint8_t& out);
/// `out` is the index into `words`.
bool read_choice(
    Context& context,
    const Node& node,
    const std::string& path,
    const std::vector<std::string_view>& words,
    std::size_t& out);

/// True if `node` is a list (map); nothing at all counts as an empty one. Else a finding.
bool expect_list(Context& context, const Node& node, const std::string& path);
bool expect_map(Context& context, const Node& node, const std::string& path);

/// "must be X, found Y".
void add_wrong_type(
    Context& context,
    const Node& node,
    const std::string& path,
    const std::string& wanted,
    const std::string& fix);

/// A key that `names` has not: the nearest name, or where in the file the key belongs.
void add_unknown_key(
    Context& context,
    const Node::Key& key,
    const std::string& parent,
    const std::vector<std::string_view>& names);

template <typename T>
void read_section(
    Context& context,
    const Node& node,
    const std::string& path,
    const Section<T>& section,
    T& out) {
    if (!expect_map(context, node, path)) {
        return;
    }
    std::vector<std::string_view> names;
    names.reserve(section.size());
    for (const auto& key : section) {
        names.push_back(key.name);
    }
    std::vector<bool> given(section.size(), false);
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        std::size_t k = 0;
        while (k < section.size() && names[k] != node.keys[i].text) {
            ++k;
        }
        if (k == section.size()) {
            add_unknown_key(context, node.keys[i], path, names);
            continue;
        }
        given[k] = true;
        const std::string child = join_path(path, section[k].name);
        context.lines[child] = node.keys[i].line;
        section[k].read(context, node.items[i], child, out);
    }
    for (std::size_t k = 0; k < section.size(); ++k) {
        if (section[k].required && !given[k]) {
            const std::string child = join_path(path, section[k].name);
            context.findings.add(
                context.line(path), child, "missing", "add '" + section[k].name + ":'");
        }
    }
}

template <typename T>
void describe_section(
    const std::string& path,
    const Section<T>& section,
    const T& defaults,
    std::vector<KeyDoc>& out) {
    for (const auto& key : section) {
        key.describe(join_path(path, key.name), defaults, out);
    }
}

/// A whole number.
template <typename T, typename N>
Key<T> number(
    std::string name, N T::*member, std::uint64_t min, std::uint64_t max, std::string text) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            std::uint64_t value = 0;
            if (read_number(context, node, path, min, max, value)) {
                out.*member = static_cast<N>(value);
            }
        },
        [=](const std::string& path, const T& defaults, std::vector<KeyDoc>& out) {
            const std::string type = std::to_string(min) + " to " + std::to_string(max);
            out.push_back({path, type, std::to_string(defaults.*member), text});
        }};
}

template <typename T>
Key<T> flag(std::string name, bool T::*member, std::string text) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            read_flag(context, node, path, out.*member);
        },
        [=](const std::string& path, const T& defaults, std::vector<KeyDoc>& out) {
            out.push_back({path, "true, false", defaults.*member ? "true" : "false", text});
        }};
}

/// Free text; `read` is read_text or read_file_name. A required one has no default.
template <typename T, typename Read>
Key<T> word(
    std::string name,
    std::string T::*member,
    Read read,
    std::string type,
    std::string text,
    bool required = false) {
    return {
        name,
        required,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            read(context, node, path, out.*member);
        },
        [=](const std::string& path, const T& defaults, std::vector<KeyDoc>& out) {
            const std::string value = (defaults.*member).empty() ? "\"\"" : defaults.*member;
            out.push_back({path, type, required ? "required" : value, text});
        }};
}

/// One of `words`, whose order is the enumeration's.
template <typename T, typename E>
Key<T> choice(
    std::string name, E T::*member, std::vector<std::string_view> words, std::string text) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            std::size_t index = 0;
            if (read_choice(context, node, path, words, index)) {
                out.*member = static_cast<E>(index);
            }
        },
        [=](const std::string& path, const T& defaults, std::vector<KeyDoc>& out) {
            const auto index = static_cast<std::size_t>(defaults.*member);
            out.push_back({path, list_words(words), std::string(words[index]), text});
        }};
}

/// A list; `read(context, node, path, Item&)` tells whether the item is good.
template <typename T, typename Item, typename Read, typename Show>
Key<T> list(
    std::string name,
    std::vector<Item> T::*member,
    Read read,
    Show show,
    std::string type,
    std::string text) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            if (!expect_list(context, node, path)) {
                return;
            }
            (out.*member).clear();
            for (std::size_t i = 0; i < node.items.size(); ++i) {
                Item item{};
                const std::string child = index_path(path, i);
                context.lines[child] = node.items[i].line;
                if (read(context, node.items[i], child, item)) {
                    (out.*member).push_back(std::move(item));
                }
            }
        },
        [=](const std::string& path, const T& defaults, std::vector<KeyDoc>& out) {
            std::string value;
            for (const auto& item : defaults.*member) {
                value += (value.empty() ? "" : ", ") + show(item);
            }
            out.push_back({path, type, "[" + value + "]", text});
        }};
}

/// A map with keys of its own.
template <typename T, typename U>
Key<T> group(std::string name, U T::*member, const Section<U>& (*section)()) {
    return {
        name,
        false,
        [=](Context& context, const Node& node, const std::string& path, T& out) {
            read_section(context, node, path, section(), out.*member);
        },
        [=](const std::string& path, const T& defaults, std::vector<KeyDoc>& out) {
            describe_section(path, section(), defaults.*member, out);
        }};
}

}  // namespace weir::config
