#!/bin/sh
# Brings tiny files of one's own into an empty data folder and asks for a price. Run it from the repository's root:
#   pricesmith init /tmp/shop
#   PRICESMITH_DATA_DIR=/tmp/shop sh examples/own_data/import.sh
set -eu
pricesmith import products examples/own_data/products.csv --currency EUR
pricesmith import events examples/own_data/events.ndjson --currency EUR
pricesmith import outcomes examples/own_data/outcomes.csv --currency EUR --column sku=product_id
pricesmith quote --shopper anna --product kettle-1
