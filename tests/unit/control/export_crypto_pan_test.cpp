// SPDX-License-Identifier: BSD-3-Clause
// Pseudonyms against the vectors published with Crypto-PAn 1.0 (IPv4) and with its ports to IPv6, and their property.
#include "control/export/crypto_pan.h"
#include "export_fixture.h"

#include <bit>
#include <random>

#include <sys/stat.h>

namespace weir::control::test {
namespace {

constexpr CryptoPan::Key kPublished{21,  34, 23,  141, 51, 164, 207, 128, 19,  10,  91,
                                    22,  73, 144, 125, 16, 216, 152, 143, 131, 121, 121,
                                    101, 39, 98,  87,  76, 45,  42,  132, 34,  2};

std::string pseudonym(CryptoPan& pan, const std::string& text) {
    const std::uint8_t version = text.find(':') == std::string::npos ? 4 : 6;
    auto bytes = mapped(text, version);
    if (version == 4) {
        std::copy(bytes.begin() + 12, bytes.end(), bytes.begin());
    }
    EXPECT_TRUE(pan.replace(std::span(bytes).first(version == 4 ? 4 : 16)));
    return event_address(bytes, version);
}

TEST(CryptoPan, PublishedVectors) {
    auto pan = CryptoPan::from_key(kPublished);
    ASSERT_TRUE(pan) << pan.error().line();
    for (const auto& [plain, hidden] : std::vector<std::pair<std::string, std::string>>{
             {"128.11.68.132", "135.242.180.132"},
             {"129.118.74.4", "134.136.186.123"},
             {"130.132.252.244", "133.68.164.234"},
             {"141.223.7.43", "141.167.8.160"},
             {"141.233.145.108", "141.129.237.235"},
             {"152.163.225.39", "151.140.114.167"},
             {"156.29.3.236", "147.225.12.42"},
             {"165.247.96.84", "162.9.99.234"},
             {"166.107.77.190", "160.132.178.185"},
             {"192.102.249.13", "252.138.62.131"},
             {"192.215.32.125", "252.43.47.189"},
             {"192.233.80.103", "252.25.108.8"},
             {"192.41.57.43", "252.222.221.184"},
             {"193.150.244.223", "253.169.52.216"},
             {"::1", "78ff:f001:9fc0:20df:8380:b1f1:704:ed"},
             {"::2", "78ff:f001:9fc0:20df:8380:b1f1:704:ef"},
             {"::ffff", "78ff:f001:9fc0:20df:8380:b1f1:704:f838"},
             {"2001:db8::1", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1e"},
             {"2001:db8::2", "4401:2bc:603f:d91d:27f:ff8e:e6f1:dc1c"}}) {
        EXPECT_EQ(pseudonym(*pan, plain), hidden) << plain;
    }
}

template <std::size_t N>
int common_bits(const std::array<std::uint8_t, N>& a, const std::array<std::uint8_t, N>& b) {
    for (std::size_t i = 0; i < N; ++i) {
        if (a[i] != b[i]) {
            return static_cast<int>(8 * i) +
                   std::countl_zero(static_cast<std::uint8_t>(a[i] ^ b[i]));
        }
    }
    return static_cast<int>(8 * N);
}

template <std::size_t N>
void check_prefixes() {
    std::mt19937_64 random(N);
    CryptoPan::Key key{};
    for (auto& byte : key) {
        byte = static_cast<std::uint8_t>(random());
    }
    auto pan = CryptoPan::from_key(key);
    ASSERT_TRUE(pan);
    for (int round = 0; round < 400; ++round) {
        std::array<std::uint8_t, N> a{};
        for (auto& byte : a) {
            byte = static_cast<std::uint8_t>(random());
        }
        auto b = a;  // differs first at any bit
        const std::size_t at = random() % (8 * N);
        b[at / 8] = static_cast<std::uint8_t>(b[at / 8] ^ 0x80U >> (at % 8));
        for (std::size_t i = at / 8 + 1; i < N; ++i) {
            b[i] = static_cast<std::uint8_t>(random());
        }
        auto hidden_a = a;
        auto hidden_b = b;
        ASSERT_TRUE(pan->replace(hidden_a));
        ASSERT_TRUE(pan->replace(hidden_b));
        ASSERT_EQ(common_bits(hidden_a, hidden_b), static_cast<int>(at));
        ASSERT_NE(a, hidden_a);  // by chance once in 2^32
    }
}

TEST(CryptoPan, KeepsPrefixesOfIpv4) {
    check_prefixes<4>();
}

TEST(CryptoPan, KeepsPrefixesOfIpv6) {
    check_prefixes<16>();
}

TEST(CryptoPan, OtherLengthsAreNoAddress) {
    auto pan = CryptoPan::from_key(kPublished);
    std::array<std::uint8_t, 6> mac{1, 2, 3, 4, 5, 6};
    EXPECT_FALSE(pan->replace(mac));
    EXPECT_EQ(mac[0], 1);
}

class KeyFile : public testing::Test {
  protected:
    std::string refusal(const std::string& content, mode_t mode) {
        const std::string path = dir_ / "key";
        std::ofstream(path, std::ios::binary) << content;
        EXPECT_EQ(::chmod(path.c_str(), mode), 0);
        const auto pan = CryptoPan::from_file(path);
        return pan ? "" : pan.error().line();
    }
    ExportDir dir_;
};

TEST_F(KeyFile, BytesOrDigitsOfTheOwnerAlone) {
    const std::string bytes(kPublished.begin(), kPublished.end());
    EXPECT_EQ(refusal(bytes, 0600), "");
    EXPECT_EQ(refusal(bytes, 0400), "");
    EXPECT_EQ(refusal(std::string(64, 'a') + "\n", 0600), "");
    for (const mode_t mode : {0640, 0604, 0660, 0700}) {
        EXPECT_NE(refusal(bytes, mode).find("others than its owner"), std::string::npos) << mode;
    }
}

TEST_F(KeyFile, AnythingElseIsRefusedWithTheFix) {
    for (const std::string& content :
         {std::string(),
          std::string(31, 'k'),
          std::string(33, 'k'),
          std::string(63, 'a'),
          std::string(64, 'g'),
          std::string(64, 'a') + "b",
          std::string(5000, 'a')}) {
        const std::string line = refusal(content, 0600);
        EXPECT_NE(line.find("export.pseudonym_key: holds neither"), std::string::npos) << line;
        EXPECT_NE(line.find("head -c 32 /dev/urandom"), std::string::npos) << line;
    }
    EXPECT_FALSE(CryptoPan::from_file(dir_ / "none"));
    EXPECT_FALSE(CryptoPan::from_file(dir_.path()));
}

}  // namespace
}  // namespace weir::control::test
