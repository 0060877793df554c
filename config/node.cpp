// SPDX-License-Identifier: BSD-3-Clause
// yaml-cpp's events instead of its Node: the tree is bounded while it grows, an alias is seen before it expands, and a
// key given twice is not lost.
#include "config/node.h"

#include <map>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace weir::config {

namespace {

/// Ends the parse; what is wrong has been added to the findings.
struct Refused {};

class TreeBuilder final : public YAML::EventHandler {
  public:
    explicit TreeBuilder(Findings& findings) : findings_(findings) {}

    [[nodiscard]] Node take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_anchor(mark, anchor);
        Node node;
        node.line = line_of(mark);
        value(std::move(node));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
        refuse(mark, "YAML aliases (*name) are not accepted", "write the value out");
    }

    void OnScalar(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        const std::string& text) override {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        Node node;
        node.kind = Node::Kind::scalar;
        node.line = line_of(mark);
        node.quoted = tag == "!";
        node.text = text;
        value(std::move(node));
    }

    void OnSequenceStart(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        YAML::EmitterStyle::value /*style*/) override {
        open(mark, tag, anchor, Node::Kind::sequence);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(
        const YAML::Mark& mark,
        const std::string& tag,
        YAML::anchor_t anchor,
        YAML::EmitterStyle::value /*style*/) override {
        open(mark, tag, anchor, Node::Kind::map);
    }
    void OnMapEnd() override { close(); }

  private:
    [[nodiscard]] static std::uint32_t line_of(const YAML::Mark& mark) {
        return mark.line < 0 ? 0 : static_cast<std::uint32_t>(mark.line) + 1;
    }

    [[noreturn]] void refuse(const YAML::Mark& mark, std::string what, std::string fix) {
        findings_.add(line_of(mark), {}, std::move(what), std::move(fix));
        throw Refused{};
    }

    void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != 0) {
            refuse(
                mark,
                "YAML anchors (&name) are not accepted",
                "write the value out where it is needed");
        }
    }

    void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
        if (!tag.empty() && tag != "?" && tag != "!") {
            refuse(mark, "YAML tags (" + quote(tag) + ") are not accepted", "remove the tag");
        }
    }

    void open(
        const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
        refuse_anchor(mark, anchor);
        refuse_tag(mark, tag);
        if (stack_.size() == kMaxDepth) {
            refuse(
                mark,
                "nested more than " + std::to_string(kMaxDepth) + " levels deep",
                "check the brackets and the indentation");
        }
        if (awaits_key()) {
            refuse(mark, "a key is a list or a map", "write keys as plain words");
        }
        Node node;
        node.kind = kind;
        node.line = line_of(mark);
        stack_.push_back(std::move(node));
    }

    void close() {
        Node node = std::move(stack_.back());
        stack_.pop_back();
        value(std::move(node));
    }

    [[nodiscard]] bool awaits_key() const {
        return !stack_.empty() && stack_.back().kind == Node::Kind::map &&
               stack_.back().keys.size() == stack_.back().items.size();
    }

    /// A finished node: the root, a key, or a value of the container on top.
    void value(Node node) {
        const auto refuse_here = [&](std::string what, std::string fix) {
            findings_.add(node.line, {}, std::move(what), std::move(fix));
            throw Refused{};
        };
        if (++nodes_ > kMaxNodes) {
            refuse_here(
                "more than " + std::to_string(kMaxNodes) + " values in one file",
                "this is no Weir configuration");
        }
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Node& parent = stack_.back();
        if (!awaits_key()) {
            parent.items.push_back(std::move(node));
            return;
        }
        if (node.kind != Node::Kind::scalar) {
            refuse_here("a key is missing before ':'", "write 'key: value'");
        }
        if (parent.keys.size() == kMaxMapKeys) {
            refuse_here(
                "more than " + std::to_string(kMaxMapKeys) + " keys in one map",
                "this is no Weir configuration");
        }
        parent.keys.push_back({std::move(node.text), node.line});
    }

    Findings& findings_;
    std::vector<Node> stack_;
    Node root_;
    std::size_t nodes_ = 0;
};

/// Bytes that make up the UTF-8 character at the start of `text` (RFC 3629); 0 if they make up none.
std::size_t utf8_length(std::string_view text) {
    const auto at = [&](std::size_t i) -> unsigned {
        return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
    };
    const auto follows = [&](std::size_t i) { return (at(i) & 0xc0u) == 0x80u; };
    const unsigned lead = at(0);
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return follows(1) ? 2 : 0;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        const bool shortest = lead != 0xe0 || at(1) >= 0xa0;
        const bool surrogate = lead == 0xed && at(1) >= 0xa0;
        return shortest && !surrogate && follows(1) && follows(2) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const bool in_range = (lead != 0xf0 || at(1) >= 0x90) && (lead != 0xf4 || at(1) < 0x90);
        return in_range && follows(1) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

bool is_text(std::string_view text, Findings& findings) {
    std::uint32_t line = 1;
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const std::size_t length = utf8_length(text.substr(i));
        const bool control =
            (byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f;
        if (length == 0 || control) {
            findings.add(
                line,
                {},
                control ? "a control character (byte " + std::to_string(byte) + ")"
                        : "not UTF-8 text",
                "save the file as plain UTF-8 text");
            return false;
        }
        line += byte == '\n' ? 1 : 0;
        i += length;
    }
    return true;
}

void find_duplicates(const Node& node, const std::string& path, Findings& findings) {
    std::map<std::string_view, std::uint32_t> first;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
        if (node.kind == Node::Kind::sequence) {
            find_duplicates(node.items[i], index_path(path, i), findings);
            continue;
        }
        const Node::Key& key = node.keys[i];
        const std::string child = join_path(path, key.text);
        const auto [at, is_new] = first.emplace(key.text, key.line);
        if (!is_new) {
            findings.add(
                key.line,
                child,
                "key " + quote(key.text) + " is given twice, first on line " +
                    std::to_string(at->second),
                "keep one of them");
        }
        find_duplicates(node.items[i], child, findings);
    }
}

std::string syntax_advice(const std::string& message) {
    if (message.find("tab") != std::string::npos) {
        return "indent with spaces";
    }
    if (message.find("flow") != std::string::npos) {
        return "check that every [, { and quote is closed";
    }
    if (message.find("scalar") != std::string::npos) {
        return "check that every quote is closed, and quote text that starts with a sign";
    }
    return "check the indentation, the colons and the brackets up to this line";
}

}  // namespace

std::optional<Node> parse_yaml(std::string_view text, Findings& findings) {
    if (text.size() > kMaxFileBytes) {
        findings.add(
            0,
            {},
            "larger than " + std::to_string(kMaxFileBytes >> 20) + " MiB",
            "name a Weir configuration, not a data file");
        return std::nullopt;
    }
    if (!is_text(text, findings)) {
        return std::nullopt;
    }
    try {
        std::istringstream stream{std::string(text)};
        YAML::Parser parser(stream);
        TreeBuilder builder(findings);
        parser.HandleNextDocument(builder);
        Node root = builder.take();
        TreeBuilder second(findings);
        if (parser.HandleNextDocument(second)) {
            findings.add(
                second.take().line,
                {},
                "a second YAML document ('---')",
                "keep one document in the file");
            return std::nullopt;
        }
        find_duplicates(root, {}, findings);
        return root;
    } catch (const Refused&) {
    } catch (const YAML::Exception& e) {
        const auto line = e.mark.is_null() ? 0u : static_cast<std::uint32_t>(e.mark.line) + 1;
        findings.add(line, {}, "YAML: " + printable(e.msg), syntax_advice(e.msg));
    }
    return std::nullopt;
}

}  // namespace weir::config
