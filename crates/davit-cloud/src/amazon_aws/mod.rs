//! `amazon.aws`: the table. One line per module, by name.

mod ec2_eip;
mod ec2_key;
mod ec2_security_group;
mod ec2_tag;
mod ec2_vpc_igw;
mod ec2_vpc_nat_gateway;
mod ec2_vpc_net;
mod ec2_vpc_route_table;
mod ec2_vpc_subnet;

use davit_module::control::Entry;

/// Every module of this collection, by name.
pub const MODULES: &[Entry] = &[
    Entry::of::<ec2_eip::Ec2Eip>(),
    Entry::of::<ec2_key::Ec2Key>(),
    Entry::of::<ec2_security_group::Ec2SecurityGroup>(),
    Entry::of::<ec2_tag::Ec2Tag>(),
    Entry::of::<ec2_vpc_igw::Ec2VpcIgw>(),
    Entry::of::<ec2_vpc_nat_gateway::Ec2VpcNatGateway>(),
    Entry::of::<ec2_vpc_net::Ec2VpcNet>(),
    Entry::of::<ec2_vpc_route_table::Ec2VpcRouteTable>(),
    Entry::of::<ec2_vpc_subnet::Ec2VpcSubnet>(),
];
