// SPDX-License-Identifier: BSD-3-Clause
// The reference page, the examples and the table of keys cannot drift apart.
#include "config/keys.h"
#include "config/load.h"
#include "config/node.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

namespace weir::config {
namespace {

const std::filesystem::path kRoot = WEIR_SOURCE_ROOT;

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(Documentation, ReferencePageIsTheTables) {
    EXPECT_TRUE(read(kRoot / "docs/configuration.md") == reference_page())
        << "docs/configuration.md is out of date: run ./dev docs";
}

TEST(Documentation, JsonSchemaIsTheTables) {
    EXPECT_TRUE(read(kRoot / "config/weir.schema.json") == json_schema())
        << "config/weir.schema.json is out of date: run ./dev docs";
}

TEST(Documentation, EveryKeyHasATypeADefaultAndAMeaning) {
    std::set<std::string> paths;
    EXPECT_GT(all_keys().size(), 40u);
    for (const KeyDoc& key : all_keys()) {
        EXPECT_TRUE(paths.insert(key.path).second) << key.path;
        EXPECT_FALSE(key.type.empty()) << key.path;
        EXPECT_FALSE(key.value.empty()) << key.path;
        EXPECT_GT(key.text.size(), 10u) << key.path;
    }
}

// The defaults that the page states, written into a file, change nothing.
TEST(Documentation, StatedDefaultsAreTheDefaults) {
    std::string text;
    for (const char* section : {"eal", "fail", "control", "metrics", "log"}) {
        text += std::string(section) + ":\n";
        for (const KeyDoc& key : all_keys()) {
            const std::string prefix = std::string(section) + ".";
            const bool nested = key.path.find('.', prefix.size()) != std::string::npos;
            if (key.path.rfind(prefix, 0) == 0 && !nested) {
                text += "  " + key.path.substr(prefix.size()) + ": " + key.value + "\n";
            }
        }
    }
    text += "ports: [{name: a, device: net_null0}]\ntaps: [a]\n";
    const auto loaded = load_text(text, "weir.yaml");
    ASSERT_TRUE(loaded) << loaded.error().front().line() << "\n" << text;
    const Config expected = defaults();
    EXPECT_EQ(loaded->eal.memory_mb, expected.eal.memory_mb);
    EXPECT_EQ(loaded->eal.hugepages, expected.eal.hugepages);
    EXPECT_EQ(loaded->eal.file_prefix, expected.eal.file_prefix);
    EXPECT_EQ(loaded->fail.flow_table_full, expected.fail.flow_table_full);
    EXPECT_EQ(loaded->control.socket, expected.control.socket);
    EXPECT_EQ(loaded->control.max_bundle_mb, expected.control.max_bundle_mb);
    EXPECT_EQ(loaded->metrics.listen, expected.metrics.listen);
    EXPECT_EQ(loaded->log.level, expected.log.level);
}

TEST(Documentation, EveryExampleLoads) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kRoot / "config/examples")) {
        if (entry.path().extension() != ".yaml") {
            continue;
        }
        ++count;
        const auto loaded = load_file(entry.path().string());
        EXPECT_TRUE(loaded) << (loaded ? std::string() : loaded.error().front().line());
    }
    EXPECT_GE(count, 4u);
}

TEST(Documentation, YamlInTheReferencePageLoads) {
    const std::string page = reference_page();
    const std::string fence = "```yaml\n";
    const auto begin = page.find(fence);
    ASSERT_NE(begin, std::string::npos);
    const auto end = page.find("```", begin + fence.size());
    const auto loaded =
        load_text(page.substr(begin + fence.size(), end - begin - fence.size()), "page");
    EXPECT_TRUE(loaded) << (loaded ? std::string() : loaded.error().front().line());
}

}  // namespace
}  // namespace weir::config
