// SPDX-License-Identifier: BSD-3-Clause
// The section `export`: what it sets, and what it refuses with line and fix.
#include "config/export.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

const std::string kPorts =
    "ports: [{name: a, device: net_null0}]\n"
    "taps: [a]\n"
    "export:\n";

std::string findings(const std::string& text) {
    const auto loaded = load_export_text(kPorts + text, "weir.yaml");
    std::string all;
    if (!loaded) {
        for (const Error& error : loaded.error()) {
            all += error.line() + "\n";
        }
    }
    return all;
}

TEST(Export, IsOffUnlessConfigured) {
    const auto loaded =
        load_export_text("ports: [{name: a, device: net_null0}]\ntaps: [a]\n", "weir.yaml");
    ASSERT_TRUE(loaded);
    EXPECT_FALSE(loaded->any());
}

TEST(Export, EveryKeyArrives) {
    const auto loaded = load_export_text(
        kPorts +
            "  pseudonym_key: /k\n"
            "  queue: 2048\n"
            "  eve: {file: /e.json, types: [alert, stats], stats_s: 3, rotate_mb: 5, rotate_s: 60, "
            "keep: 2}\n"
            "  ipfix: {collector: \"[::1]:4739\", transport: tcp, domain: 7, enterprise: 9, "
            "template_s: 30, message_bytes: 1200}\n",
        "weir.yaml");
    ASSERT_TRUE(loaded) << loaded.error().front().line();
    const Export& e = *loaded;
    EXPECT_TRUE(e.any());
    EXPECT_EQ(e.pseudonym_key, "/k");
    EXPECT_EQ(e.queue, 2048U);
    EXPECT_EQ(e.eve.file, "/e.json");
    EXPECT_EQ(e.eve.filetype, EveTarget::regular);
    EXPECT_EQ(e.eve.types, (std::vector{EveEvent::alert, EveEvent::stats}));
    EXPECT_EQ(e.eve.stats_s, 3U);
    EXPECT_EQ(e.eve.rotate_mb, 5U);
    EXPECT_EQ(e.eve.rotate_s, 60U);
    EXPECT_EQ(e.eve.keep, 2U);
    EXPECT_EQ(e.ipfix.collector, "[::1]:4739");
    EXPECT_EQ(e.ipfix.transport, IpfixTransport::tcp);
    EXPECT_EQ(e.ipfix.domain, 7U);
    EXPECT_EQ(e.ipfix.enterprise, 9U);
    EXPECT_EQ(e.ipfix.template_s, 30U);
    EXPECT_EQ(e.ipfix.message_bytes, 1200U);
}

TEST(Export, ACollectorNeedsAPort) {
    EXPECT_EQ(
        findings("  ipfix:\n    collector: 127.0.0.1:0\n"),
        "weir.yaml:5: export.ipfix.collector: port 0 is nobody's; fix: write an address and a "
        "port, such as 192.0.2.9:4739; \"\" is off\n");
    EXPECT_NE(
        findings("  ipfix:\n    collector: nowhere\n").find("weir.yaml:5"), std::string::npos);
}

TEST(Export, ASocketIsNotRotated) {
    EXPECT_EQ(
        findings("  eve:\n    file: /run/eve.sock\n    filetype: unix_dgram\n    rotate_mb: 5\n"),
        "weir.yaml:7: export.eve.rotate_mb: a socket is not rotated; fix: remove it, or write to a "
        "regular file\n");
}

TEST(Export, ASocketsPathIsShort) {
    const std::string path = "/" + std::string(120, 'x');
    EXPECT_NE(
        findings("  eve:\n    filetype: unix_stream\n    file: " + path + "\n")
            .find("weir.yaml:6: export.eve.file: a path of 121 characters"),
        std::string::npos);
}

TEST(Export, AKeyOfNothing) {
    EXPECT_EQ(
        findings("  pseudonym_key: /k\n"),
        "weir.yaml:4: export.pseudonym_key: nothing is exported; fix: set export.eve.file or "
        "export.ipfix.collector, or remove the key\n");
}

TEST(Export, WordsAndRangesAreChecked) {
    EXPECT_NE(
        findings("  eve:\n    filetype: regulr\n").find("did you mean 'regular'?"),
        std::string::npos);
    EXPECT_NE(
        findings("  eve: {file: /x, types: []}\n").find("export.eve.types: no event"),
        std::string::npos);
    EXPECT_NE(findings("  queue: 10\n").find("weir.yaml:4: export.queue"), std::string::npos);
}

}  // namespace
}  // namespace weir::config
