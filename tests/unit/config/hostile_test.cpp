// SPDX-License-Identifier: BSD-3-Clause
// Input made to break the reader: bounded work, one clear finding.
#include "config/load.h"
#include "config/node.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

std::string repeat(const std::string& unit, std::size_t bytes) {
    std::string out;
    while (out.size() + unit.size() <= bytes) {
        out += unit;
    }
    return out;
}

/// The first finding's line of text; empty and a failure if there is none.
std::string first_finding(const std::string& text) {
    const auto loaded = load_text(text, "h.yaml");
    if (loaded) {
        ADD_FAILURE() << "accepted: " << text.substr(0, 80);
        return {};
    }
    for (const Error& error : loaded.error()) {
        EXPECT_FALSE(error.what.empty());
        EXPECT_FALSE(error.fix.empty()) << error.line();
        EXPECT_EQ(error.where.rfind("h.yaml", 0), 0u);
    }
    return loaded.error().front().line();
}

TEST(Hostile, NestingIsCutOffBeforeTheParserRecurses) {
    for (const char* unit : {"[", "{a: ", "- ", "? ", "[{a: ", "- - ? "}) {
        const std::string line = first_finding(repeat(unit, kMaxFileBytes));
        EXPECT_NE(line.find("h.yaml:"), std::string::npos) << unit << line.substr(0, 200);
    }
    EXPECT_NE(
        first_finding(std::string(40, '[') + std::string(40, ']')).find("more than 16 levels"),
        std::string::npos);
}

TEST(Hostile, DeepIndentation) {
    std::string text;
    for (std::size_t depth = 0; depth < 600; ++depth) {
        text += std::string(depth, ' ') + "a:\n";
    }
    EXPECT_NE(first_finding(text).find("more than 16 levels"), std::string::npos);
}

TEST(Hostile, AliasBomb) {
    const std::string line = first_finding(
        "a: &a [x, x, x, x, x, x, x, x]\n"
        "b: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"
        "c: &c [*b, *b, *b, *b, *b, *b, *b, *b]\n");
    EXPECT_EQ(
        line,
        "h.yaml:1: YAML anchors (&name) are not accepted; fix: write the value out where it is "
        "needed");
    EXPECT_NE(first_finding("a: *nowhere\n").find("h.yaml:1"), std::string::npos);
    EXPECT_NE(first_finding("a: &x 1\n<<: *x\n").find("anchors"), std::string::npos);
}

TEST(Hostile, TagsAndDocuments) {
    EXPECT_NE(first_finding("log: {level: !!str info}\n").find("YAML tags"), std::string::npos);
    EXPECT_NE(first_finding("log: !mine {level: info}\n").find("YAML tags"), std::string::npos);
    EXPECT_NE(
        first_finding("log: {}\n---\nlog: {}\n").find("h.yaml:3: a second YAML document"),
        std::string::npos);
}

TEST(Hostile, NotText) {
    EXPECT_NE(
        first_finding(std::string("log: {}\n\0", 9)).find("h.yaml:2: a control character"),
        std::string::npos);
    EXPECT_NE(
        first_finding("log: \x1b[31m\n").find("control character (byte 27)"), std::string::npos);
    for (const char* bytes :
         {"\xff",
          "\xc0\xaf",
          "\xe0\x80\x80",
          "\xed\xa0\x80",
          "\xf4\x90\x80\x80",
          "\xf5",
          "\xc3",
          "\x80"}) {
        EXPECT_NE(first_finding(std::string("log: ") + bytes).find("not UTF-8"), std::string::npos);
    }
    EXPECT_NE(first_finding(std::string("\xfe\xff\0l", 4)).find("not UTF-8"), std::string::npos);
}

TEST(Hostile, EscapesCannotDriveTheTerminal) {
    const std::string line =
        first_finding("\"\\e[31mports\": 1\nports: [{name: \"\\a\", device: \"x\\ty\"}]\n");
    const auto loaded =
        load_text("\"\\e[31mports\": 1\nports: [{name: \"\\a\", device: \"x\\ty\"}]\n", "h.yaml");
    ASSERT_FALSE(loaded);
    for (const Error& error : loaded.error()) {
        for (const char c : error.line()) {
            EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
        }
    }
}

TEST(Hostile, ManyKeysManyValuesManyFindings) {
    std::string keys;
    for (std::size_t i = 0; i < 2 * kMaxMapKeys; ++i) {
        keys += "k" + std::to_string(i) + ": 1\n";
    }
    EXPECT_NE(first_finding(keys).find("more than 256 keys"), std::string::npos);
    EXPECT_NE(
        first_finding("a: [" + repeat("1,", 3 * kMaxNodes) + "]").find("more than 65536 values"),
        std::string::npos);
    std::string ports = "ports: [";
    for (std::size_t i = 0; i < 500; ++i) {
        ports += "{},";
    }
    const auto loaded = load_text(ports + "]\n", "h.yaml");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().size(), 101u);
    EXPECT_NE(loaded.error().back().what.find(" more"), std::string::npos);
}

TEST(Hostile, LongTokensOfOneKind) {
    for (const char* unit :
         {"a",   "\"",      "'",   "!",    "&",  "*",     "%",     "|",   ">",   ":",     ": ",
          "a: ", "\t",      "\n ", "}",    "]",  ",",     "---\n", "#\n", "a\n", "- a\n", "&a ",
          "!a ", "\"a\": ", "{",   "a:\n", "\\", "\"\\u", "? a\n", "@",   "`"}) {
        const auto loaded = load_text(repeat(unit, 1u << 16), "h.yaml");
        EXPECT_FALSE(loaded) << unit;
    }
}

TEST(Hostile, EveryPrefixAndEveryFlippedByteOfAGoodFile) {
    const std::string good =
        "eal: {hugepages: off}\nports:\n  - {name: \"a\", device: 'net_null0'}\ntaps: [a]\n"
        "slots: {qos: {score: {every_ms: 5}, rules: {x: {dscp: EF}}}}\n";
    ASSERT_TRUE(load_text(good, "h.yaml"));
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        const auto loaded = load_text(good.substr(0, cut), "h.yaml");
        EXPECT_TRUE(loaded || !loaded.error().empty());
    }
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string bad = good;
            bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1u << bit));
            const auto loaded = load_text(bad, "h.yaml");
            EXPECT_TRUE(loaded || !loaded.error().empty());
        }
    }
}

}  // namespace
}  // namespace weir::config
