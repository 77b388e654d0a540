"""A report over a day's orders: parse, price, aggregate, compress, and hand it on."""

import base64
import hashlib
import json
import random
import time
import zlib

# How long the service that takes the report makes its callers wait.
DOWNSTREAM_S = 0.08

PRODUCTS = ("anvil", "bellows", "chisel", "drill", "engraver", "file", "gouge", "hammer")


def handler(event, context):
    """Reports on `orders` orders made from `seed`, the same report for the same two."""
    export = orders(event.get("orders", 9000), event.get("seed", 7))
    report = aggregate(json.loads(line) for line in export.splitlines())
    packed = zlib.compress(json.dumps(report, sort_keys=True).encode() + export.encode(), level=6)
    hand_on(packed)
    return {
        "orders": report["orders"],
        "revenue": report["revenue"],
        "best": max(report["products"], key=lambda name: report["products"][name]["revenue"]),
        "bytes": len(packed),
        "digest": hashlib.sha256(packed).hexdigest(),
    }


def orders(count, seed):
    """The day's orders as a shop exports them: one JSON object a line."""
    chance = random.Random(seed)
    return "\n".join(
        json.dumps(
            {
                "id": f"{number:08d}",
                "product": PRODUCTS[chance.randrange(len(PRODUCTS))],
                "quantity": chance.randint(1, 9),
                "cents": chance.randint(199, 19_999),
                "customer": base64.b16encode(chance.randbytes(6)).decode(),
            }
        )
        for number in range(count)
    )


def aggregate(lines):
    """Orders, revenue and customers, in all and a product."""
    products = {}
    for order in lines:
        product = products.setdefault(
            order["product"], {"orders": 0, "revenue": 0, "customers": set()}
        )
        product["orders"] += 1
        product["revenue"] += order["quantity"] * order["cents"]
        product["customers"].add(hashlib.sha256(order["customer"].encode()).hexdigest())
    for product in products.values():
        product["customers"] = len(product["customers"])
    return {
        "orders": sum(product["orders"] for product in products.values()),
        "revenue": sum(product["revenue"] for product in products.values()),
        "products": products,
    }


def hand_on(_packed):
    """Stands for the call to a service elsewhere: waiting costs memory and time, but no CPU."""
    time.sleep(DOWNSTREAM_S)
