// SPDX-License-Identifier: BSD-3-Clause
#include "config/device.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

TEST(Device, GoodOnes) {
    for (const char* text :
         {"0000:01:00.0",
          "01:00.0",
          "0000:AB:1f.7,mprq_en=1",
          "0000:01:00.0,representor",
          "net_null0",
          "net_tap",
          "net_af_packet_wa,iface=wa",
          "net_pcap0,rx_pcap=/a.pcap,tx_pcap=/b.pcap",
          "net_memif0,role=server",
          "eth_plugin0",
          "net_dpaa2_1",
          "net_ring0",
          "net_virtio_user0,path=/dev/vhost-net,queues=1"}) {
        EXPECT_EQ(check_device(text).what, "") << text;
    }
}

TEST(Device, BadOnesSayWhy) {
    struct Case {
        const char* device;
        const char* what;
        const char* fix;
    };
    for (const Case& one : {
             Case{"eth0", "'eth0' is not a DPDK device", "net_af_packet0,iface=eth0"},
             Case{"", "'' is not a DPDK device", "0000:01:00.0"},
             Case{"0000:01:00.8", "not a DPDK device", "PCI address"},
             Case{"0000:g1:00.0", "not a DPDK device", "PCI address"},
             Case{"net_", "not a DPDK device", "PCI address"},
             Case{
                 "net_afpacket0,iface=eth0",
                 "unknown driver 'net_afpacket'",
                 "did you mean 'net_af_packet'?"},
             Case{"net_nul0", "unknown driver 'net_nul'", "did you mean 'net_null'?"},
             Case{"net_af_packet0", "net_af_packet without iface=", "iface=eth0"},
             Case{"net_af_packet0, iface=eth0", "a blank", "remove"},
             Case{"net_pcap0,foo=1", "net_pcap without iface=", "rx_pcap=in.pcap"},
             Case{"net_tap0,,", "'' is not an argument", "key=value"},
             Case{"net_tap0,iface", "'iface' is not an argument", "key=value"},
             Case{"net_tap0,=x", "'=x' is not an argument", "key=value"},
         }) {
        const DeviceCheck check = check_device(one.device);
        EXPECT_NE(check.what.find(one.what), std::string::npos) << one.device << ": " << check.what;
        EXPECT_NE(check.fix.find(one.fix), std::string::npos) << one.device << ": " << check.fix;
        EXPECT_FALSE(check.what.empty()) << one.device;
    }
}

TEST(Device, PciAddressesHaveOneForm) {
    EXPECT_EQ(check_device("aB:00.1,x=1").name, "0000:ab:00.1");
    EXPECT_EQ(check_device("net_tap0,iface=t").name, "net_tap0");
    EXPECT_EQ(check_device("net_tap0,iface=t").resource, "iface=t");
}

TEST(Listen, GoodOnes) {
    for (const char* text : {"", "127.0.0.1:9464", "0.0.0.0:0", "[::]:9464", "[fe80::1]:65535"}) {
        EXPECT_EQ(check_listen(text), "") << text;
    }
}

TEST(Listen, BadOnes) {
    for (const char* text :
         {"9464",
          ":9464",
          "127.0.0.1",
          "127.0.0.1:",
          "127.0.0.1:65536",
          "127.0.0.1:-1",
          "127.0.0.1:94x",
          "localhost:9464",
          "::1:9464",
          "[::1]",
          "[]:1",
          "[::1:9464",
          "256.0.0.1:1",
          "127.0.0.1:9464 ",
          ":"}) {
        EXPECT_NE(check_listen(text), "") << text;
    }
}

}  // namespace
}  // namespace weir::config
