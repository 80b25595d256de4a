"""Columns whose names come close to one of ours: never taken, always named with the remedy."""

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from agent.service.ingest.columns import OTHER_SPELLINGS, RowKind, names_of

_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
_SEPARATORS: Final = re.compile(r"[\s\-_.]+")
_SHORTEST: Final = 4  # shorter names are near too many words
_MANY_LETTERS: Final = 8
_IGNORED_WORDS: Final = (
    "a an the of per in item items product products variant unit units value amount each net gross incl excl vat "
    "tax current our my new default usd eur gbp chf jpy cny cad aud sek nok dkk pln czk inr krw twd"
)
_IGNORED: Final = frozenset(_IGNORED_WORDS.split())

# The first of several that a kind of rows takes is meant: a price is the row's own before its product's.
_WORDS_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "product_id": "id product sku article artikelnummer articleno articlenumber asin ean gtin upc barcode handle "
        "itemid itemcode itemno itemnumber productcode productsku variantsku variantid pid code reference ref",
        "shopper_id": "shopper user userid customer customerid client clientid visitor visitorid member memberid uid "
        "household householdid kunde kundennummer email",
        "title": "name productname producttitle itemname label bezeichnung titel nom nombre nome designation",
        "description": "body bodyhtml text longdescription shortdescription details beschreibung descripcion",
        "category": "type producttype categories department productcategory kategorie categoria categorie",
        "brand": "vendor manufacturer make hersteller marke marca marque",
        "price": "unitprice paid paidprice pricepaid saleprice sale sales amount offer offerprice offeredprice shown "
        "shownprice priceshown preis prix precio sellingprice total",
        "reference_price": "reference ref baseline baselineprice regular regularprice listprice list originalprice "
        "baseprice msrp",
        "quantity": "qty count pieces pcs menge anzahl number quantities",
        "list_price": "price regular regularprice listprice baseprice base retail retailprice msrp rrp uvp srp "
        "sale saleprice sellprice sellingprice selling standardprice fullprice original originalprice compareatprice "
        "shelfprice catalogprice preis verkaufspreis prix precio prezzo normalprice unitprice amount",
        "bought": "purchased converted conversion sold purchase accepted buy target label outcome success ordered",
        "cost": "costs costprice buyprice buyingprice purchase purchaseprice purchasecost wholesale wholesaleprice "
        "costofgoods cogs unitcost supplyprice landedcost einkaufspreis ek einstandspreis kosten cout coste "
        "prixachat preciocompra supplierprice dealerprice",
        "min_price": "minimum minimumprice minprice floor floorprice pricefloor lowest lowestprice mindestpreis "
        "minimal bottomprice",
        "max_price": "maximum maximumprice maxprice ceiling ceilingprice priceceiling highest highestprice "
        "hoechstpreis maximal topprice",
        "map_price": "map mapprice minimumadvertised minimumadvertisedprice advertised advertisedprice",
        "currency": "currencycode currencyiso isocurrency curr ccy waehrung währung devise moneda valuta",
        "inventory": "stock stockqty stockquantity qty quantity onhand available availability bestand lager "
        "inventoryqty inventoryquantity stocklevel",
        "rating": "stars averagerating avgrating reviewrating score bewertung",
        "at": "time timestamp date datetime ts when createdat created occurredat eventtime orderdate zeit datum",
        "type": "event eventtype eventname action kind activity",
        "text": "query search searchterm searchquery keyword keywords term",
        "propensity": "probability prob pscore propensityscore",
        "weight": "sampleweight samplingweight importance",
        "event_id": "id eventkey uuid",
        "outcome_id": "id orderid offerid uuid transactionid",
        "context.competitor_prices": "competitor competitorprice competitorprices rival rivalprice rivals",
        "context.inventory": "stock inventory onhand",
        "context.channel": "channel device platform",
        "context.season": "season",
        "context.location": "location region store city",
        "context.jurisdiction": "jurisdiction country state",
        "context.deadline": "deadline departure expires",
        "context.market_trend": "trend markettrend",
        "context.promotion.display": "display displayed featured endcap displaylocation",
        "context.promotion.mailer": "mailer mailed leaflet flyer newsletter mailerlocation",
    }
)


def spelled(name: str) -> str:
    """A name without case, spaces, hyphens, underscores and dots, by which columns are recognised."""
    return _SEPARATORS.sub("", name).casefold()


def near_miss(name: str, kind: RowKind) -> str | None:
    """Our column that the writer of a name may have meant; None where none comes close."""
    ours = names_of(kind)
    words = [word.casefold() for word in _WORD.findall(name)]
    reduced = "".join(word for word in words if word not in _IGNORED)
    for text in dict.fromkeys((spelled(name), "".join(words), reduced)):
        for known in (*(one for one in _WORDS_OF if one in ours), *sorted(ours)):
            if text == spelled(known) or text in _WORDS_OF.get(known, "").split():
                return known
    return closest(name, ours)


def closest(name: str, known: Collection[str]) -> str | None:
    """The name that differs in the fewest letters, at most one in short and two in long ones."""
    text = spelled(name)
    if len(text) < _SHORTEST:
        return None
    most = 2 if len(text) >= _MANY_LETTERS else 1
    near = {one: distance for one in sorted(known) if (distance := _distance(text, spelled(one), most)) <= most}
    return min(near, key=near.__getitem__, default=None)


def _distance(one: str, other: str, most: int) -> int:
    """Letters to insert, drop, change or swap with their neighbour (Damerau 1964); `most` + 1 where there are more."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, target in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (char != target))
            if i > 1 and j > 1 and char == other[j - 2] and one[i - 2] == target:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]


def other_spelling(name: str) -> str | None:
    """Our column where a name is another spelling of it that is taken; None for any other."""
    return next((ours for theirs, ours in OTHER_SPELLINGS.items() if spelled(theirs) == spelled(name)), None)
