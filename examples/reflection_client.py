"""Runs a circuit through a kernel that serves, knowing nothing but its address.

Every message type comes from the kernel by gRPC reflection. Needs the packages grpcio and
grpcio-reflection; start a kernel first:

    qrtx serve
    python examples/reflection_client.py examples/bell.aqo.json [HOST:PORT]
"""

import sys

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVICE = "eigen.kernel.v1.KernelGateway"


class Gateway:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        pool = DescriptorPool(ProtoReflectionDescriptorDatabase(self.channel))
        self.methods = pool.FindServiceByName(SERVICE).methods_by_name

    def call(self, rpc, /, **fields):
        method = self.methods[rpc]
        request = GetMessageClass(method.input_type)(**fields)
        kind = self.channel.unary_stream if method.server_streaming else self.channel.unary_unary
        stub = kind(
            f"/{SERVICE}/{rpc}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        return stub(request)


def main(path, address="127.0.0.1:50052"):
    gateway = Gateway(address)
    with open(path, "rb") as file:
        program = file.read()
    accepted = gateway.call(
        "EnqueueJob",
        name=path,
        program=program,
        program_format="aqo_json",
        target="sim:local",
        shots=1000,
        seed=7,
    )
    print(accepted.job_id)
    for event in gateway.call("WatchJob", job_id=accepted.job_id):
        print(f"{event.seq:3} {event.kind:<14} {event.message}")
    results = gateway.call("GetJobResults", job_id=accepted.job_id)
    if results.HasField("error"):
        sys.exit(f"{results.error.error_code}: {results.error.error_summary}")
    print(dict(results.counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
