"""Product exports of Shopify, WooCommerce and Medusa, with the columns that these shops write."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.service.ingest import ImportFormatError, ImportKind, Note
from agent.service.ingest.numerals import DecimalMark
from agent.service.ingest.reading import Shop
from agent.service.ingest.shop_exports import text_of_html
from tests.agent.service.ingest.builders import NOW, Read, import_text

SHOPIFY = (
    "Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,"
    "Option2 Value,Variant SKU,Variant Grams,Variant Inventory Tracker,Variant Inventory Qty,Variant Price,"
    "Variant Compare At Price,Image Src,Cost per item,Status\n"
    't-shirt,T-Shirt,"<p>Soft &amp; <b>warm</b>.</p><ul><li>Cotton</li></ul>",Halm,Apparel > Shirts,Shirts,"a, b",TRUE,'
    "Size,S,Color,Blue,TS-S,100,shopify,10,25.00,30.00,https://x/1.jpg,12.50,active\n"
    "t-shirt,,,,,,,,,M,,Blue,,100,shopify,-2,26.00,,,13,\n"
    "t-shirt,,,,,,,,,,,,,,,,,,https://x/2.jpg,,\n"
    "mug,Mug,,Odra,,,,TRUE,Title,Default Title,,,MUG-1,300,,0,9.90,,,,active\n"
)
NEW_SHOPIFY = (
    "Title,URL handle,Description,Vendor,Product category,Type,SKU,Option1 name,Option1 value,Price,Compare-at price,"
    "Cost per item,Inventory tracker,Inventory quantity\n"
    "Nike Air,nike-air,Light,Nike,Footwear,,NA-1,Color,Black,44.99,54.99,28.00,shopify,15\n"
    ",nike-air,,,,,NA-2,,White,45.99,,,shopify,10\n"
)
WOO = (
    "ID,Type,SKU,Name,Published,Short description,Description,Date sale price starts,Date sale price ends,Tax status,"
    "In stock?,Stock,Sale price,Regular price,Cost of goods,Categories,Tags,Parent,Brands,Attribute 1 name,"
    "Attribute 1 value(s),Attribute 1 visible\n"
    '10,simple,MUG,Mug,1,Short,"<p>A mug</p>\\n<p>blue</p>",,,taxable,1,5,7.50,9.90,3,'
    '"Kitchen > Mugs, Sale",,,Odra,,,\n'
    '11,variable,HOOD,Hoodie,1,,Warm,,,taxable,1,,,,,Clothing,,,Halm,Size,"S, M",1\n'
    "12,variation,,Hoodie - S,1,,,{starts},{ends},taxable,0,,35,45,,,,HOOD,,Size,S,\n"
    '13,"simple, virtual",,Voucher,1,,,,,taxable,1,,,20,,,,,,,,\n'
    "14,grouped,SET,Set,1,,,,,taxable,1,,,,,,,,,,,\n"
)
MEDUSA = (
    "Product Id,Product Handle,Product Title,Product Description,Product Status,Product Type,Variant Id,Variant Title,"
    "Variant SKU,Variant Inventory Quantity,Variant Manage Inventory,Option 1 Name,Option 1 Value,{prices}\n"
    "prod_1,shirt,Shirt,Soft,published,Shirts,variant_1,S,SH-S,10,true,Size,S,{first}\n"
    "prod_1,shirt,Shirt,Soft,published,Shirts,variant_2,M,,4,false,Size,M,{second}\n"
)


def products(folder: Path, content: str, shop: Shop, currency: str | None = "EUR", **options: Any) -> Read:
    return import_text(folder, ImportKind.PRODUCTS, content, currency=currency, shop=shop, **options)


def test_shopify_s_variants_are_products_at_the_price_that_everybody_pays(tmp_path: Path) -> None:
    read = products(tmp_path, SHOPIFY, Shop.SHOPIFY)
    shirt, medium, mug = read.products
    assert (shirt.product_id, shirt.title, shirt.brand, shirt.category) == (
        "TS-S",
        "T-Shirt, S, Blue",
        "Halm",
        "Shirts",
    )
    assert (shirt.list_minor, shirt.cost_minor, shirt.inventory) == (2_500, 1_250, 10)
    assert shirt.description == "Soft & warm . Cotton".replace(" .", ".")
    assert shirt.attributes == {"Size": "S", "Color": "Blue"}
    assert (medium.product_id, medium.title, medium.description) == (
        "t-shirt:M:Blue",
        "T-Shirt, M, Blue",
        shirt.description,
    )
    assert (medium.list_minor, medium.inventory) == (2_600, 0)
    assert (mug.product_id, mug.title, mug.inventory, mug.attributes) == ("MUG-1", "Mug", None, {})
    assert read.report.notes.counts == {Note.NOT_SOLD: 1, Note.OVERSOLD: 1}
    assert "struck through" in read.report.notes.ignored["Variant Compare At Price"]
    assert {"Tags", "Status", "Image Src"} <= set(read.report.notes.ignored)


def test_shopify_s_present_column_names_are_read_too(tmp_path: Path) -> None:
    read = products(tmp_path, NEW_SHOPIFY, Shop.SHOPIFY)
    assert read.prices == {"NA-1": 4_499, "NA-2": 4_599}
    assert [one.title for one in read.products] == ["Nike Air, Black", "Nike Air, White"]
    assert [one.attributes for one in read.products] == [{"Color": "Black"}, {"Color": "White"}]


@pytest.mark.parametrize(("days", "price"), [((-1, 1), 3_500), ((1, 9), 4_500), ((-9, -2), 4_500)])
def test_woocommerce_s_sale_price_counts_while_it_is_valid(days: tuple[int, int], price: int, tmp_path: Path) -> None:
    today = NOW.date()
    starts, ends = (f"{today + timedelta(days=one)} 00:00:00" for one in days)
    read = products(tmp_path, WOO.format(starts=starts, ends=ends), Shop.WOOCOMMERCE)
    mug, hoodie, voucher = read.products
    assert (mug.product_id, mug.list_minor, mug.cost_minor, mug.inventory) == ("MUG", 750, 300, 5)
    assert (mug.category, mug.brand, mug.description) == ("Kitchen > Mugs", "Odra", "A mug blue")
    assert (hoodie.product_id, hoodie.title, hoodie.list_minor, hoodie.inventory) == ("12", "Hoodie - S", price, 0)
    assert (hoodie.category, hoodie.brand, hoodie.description) == ("Clothing", "Halm", "Warm")
    assert hoodie.attributes == {"Size": "S"}
    assert (voucher.product_id, voucher.list_minor, voucher.inventory) == ("13", 2_000, None)
    assert read.report.notes.counts == {Note.NOT_SOLD: 2}


def test_woocommerce_s_prices_are_read_as_the_shop_writes_them(tmp_path: Path) -> None:
    content = 'ID,Type,SKU,Name,Sale price,Regular price\n1,simple,A,A,,"1.250,00"\n'
    assert products(tmp_path, content, Shop.WOOCOMMERCE).report.bad == 1
    read = products(tmp_path, content, Shop.WOOCOMMERCE, decimal=DecimalMark.COMMA)
    assert read.prices == {"A": 125_000}


@pytest.mark.parametrize(
    "prices", ["Price EUR,Price USD", "Variant Price EUR,Variant Price USD", "Price [EUR],Price USD"]
)
def test_medusa_s_price_is_that_of_the_currency(prices: str, tmp_path: Path) -> None:
    content = MEDUSA.format(prices=prices, first="10.50,12", second="11,13.50")
    read = products(tmp_path, content, Shop.MEDUSA)
    assert read.prices == {"SH-S": 1_050, "variant_2": 1_100}
    assert [(one.title, one.category, one.inventory) for one in read.products] == [
        ("Shirt, S", "Shirts", 10),
        ("Shirt, M", "Shirts", None),
    ]
    dollars = products(tmp_path, content, Shop.MEDUSA, "USD")
    assert (dollars.products[0].currency, dollars.prices["SH-S"]) == ("USD", 1_200)
    with pytest.raises(ImportFormatError, match="prices in EUR, USD; remedy: --currency"):
        products(tmp_path, content, Shop.MEDUSA, None)
    one = products(tmp_path, MEDUSA.format(prices="Price EUR", first="1", second="2"), Shop.MEDUSA, None)
    assert one.products[0].currency == "EUR"


@pytest.mark.parametrize(
    ("content", "is_of"),
    [(SHOPIFY, Shop.SHOPIFY), (NEW_SHOPIFY, Shop.SHOPIFY), (WOO, Shop.WOOCOMMERCE), (MEDUSA, Shop.MEDUSA)],
)
def test_an_export_is_recognised_and_another_is_refused(content: str, is_of: Shop, tmp_path: Path) -> None:
    text = content.format(starts="", ends="", prices="Price EUR", first="1", second="2") if "{" in content else content
    with pytest.raises(ImportFormatError, match=f"remedy: --from {is_of}"):
        import_text(tmp_path, ImportKind.PRODUCTS, text, currency="EUR")
    for other in set(Shop) - {is_of}:
        with pytest.raises(ImportFormatError, match=f"not a product export of {other}.*remedy: --from {is_of}"):
            products(tmp_path, text, other)


def test_a_file_of_no_shop_is_refused_with_what_is_looked_for(tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match=r"Handle and Variant Price or .*leave out --from"):
        products(tmp_path, "sku,price\nA,1\n", Shop.SHOPIFY)
    with pytest.raises(ImportFormatError, match="--from reads products"):
        import_text(tmp_path, ImportKind.EVENTS, SHOPIFY, shop=Shop.SHOPIFY)


def test_columns_that_options_name_go_through_an_export(tmp_path: Path) -> None:
    content = (
        SHOPIFY.replace("Status\n", "Status,Floor,Season\n")
        .replace("active\n", "active,5,winter\n")
        .replace(",,,13,\n", ",,,13,,,\n")
        .replace("2.jpg,,\n", "2.jpg,,,,\n")
    )
    read = products(tmp_path, content, Shop.SHOPIFY, mapping={"Floor": "min_price"}, attributes=frozenset({"Season"}))
    assert [one.floor_minor for one in read.products] == [500, None, 500]
    assert read.products[0].attributes == {"Size": "S", "Color": "Blue", "Season": "winter"}


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("plain text", "plain text"),
        ("<p>a</p><p>b</p>", "a b"),
        ("a<br/>b&nbsp;&lt;c&gt;", "a b <c>"),
        ("<style>p{}</style><script>x()</script>shown", "shown"),
        ("5 < 6 & 7 > 3", "5 < 6 & 7 > 3"),
        ("<b>open", "open"),
    ],
)
def test_html_becomes_text(html: str, text: str) -> None:
    assert text_of_html(html) == text
