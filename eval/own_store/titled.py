"""Shops whose titles alone tell one kind of product from another, in English and in Chinese.

Level and slope of demand belong to twelve kinds of twenty products each, and vary a little within a kind. No category
is told. Five products of each kind are sold for the first time after the training, and half of the later offers are of
those: what is known of them is their title.
"""

from typing import Final

import numpy as np

from eval.own_store.shops import GeneratedOffers, Rng, Shop, common, offers_of

_KINDS: Final = {
    "kettle": (
        "electric kettle,stovetop kettle,gooseneck kettle,glass tea kettle,travel kettle",
        "电热水壶,炉灶烧水壶,鹅颈手冲壶,玻璃煮茶壶,旅行电水壶",
    ),
    "backpack": (
        "hiking backpack,school rucksack,laptop backpack,camping pack,day pack",
        "登山背包,书包,电脑双肩包,露营背囊,轻便双肩包",
    ),
    "rice": (
        "jasmine rice,basmati rice,sushi rice,brown rice,glutinous rice",
        "茉莉香米,印度长粒香米,寿司米,糙米,糯米",
    ),
    "shampoo": (
        "anti-dandruff shampoo,dry shampoo,baby shampoo,repair shampoo,volume shampoo",
        "去屑洗发水,免洗干发喷雾,婴儿洗发水,修复洗发露,蓬松洗发水",
    ),
    "phone": (
        "smartphone 128 GB,5G mobile phone,foldable phone,senior cell phone,rugged smartphone",
        "智能手机 128GB,5G手机,折叠屏手机,老人手机,三防智能手机",
    ),
    "cat": (
        "cat litter,dry cat food,kitten milk,cat scratching post,wet cat food pouches",
        "猫砂,猫粮干粮,幼猫奶粉,猫抓板,猫湿粮餐包",
    ),
    "wine": (
        "red wine Merlot,dry white wine,sparkling wine,rosé wine,dessert wine",
        "梅洛红葡萄酒,干白葡萄酒,起泡酒,桃红葡萄酒,甜葡萄酒",
    ),
    "bicycle": (
        "mountain bike,city bicycle,folding bike,children's bicycle,road racing bike",
        "山地自行车,城市自行车,折叠自行车,儿童自行车,公路赛车",
    ),
    "toy": (
        "building blocks set,jigsaw puzzle,plush teddy bear,toy train,doll house",
        "积木套装,拼图玩具,毛绒泰迪熊,玩具火车,娃娃屋",
    ),
    "mattress": (
        "memory foam mattress,spring mattress,latex mattress,cot mattress,mattress topper",
        "记忆棉床垫,弹簧床垫,乳胶床垫,婴儿床垫,床褥垫",
    ),
    "drill": (
        "cordless drill,hammer drill,drill bit set,impact driver,screwdriver drill",
        "充电式电钻,冲击钻,钻头套装,冲击起子机,电动螺丝钻",
    ),
    "tea": (
        "green tea leaves,black tea bags,oolong tea,jasmine tea,herbal tea",
        "绿茶茶叶,红茶包,乌龙茶,茉莉花茶,花草茶",
    ),
}
_MAKES: Final = (("Borealis", "Casa Luna", "basic", "limited edition"), ("北极光", "月之家", "基础款", "限量版"))
_SOLD_LATER: Final = 5
LANGUAGES: Final = ("English", "Chinese")


def titles(language: str) -> tuple[list[str], list[int]]:
    """Titles of the 240 products, and the number of the kind of each."""
    which = LANGUAGES.index(language)
    found, kinds = [], []
    for kind, names in enumerate(_KINDS.values()):
        for name in names[which].split(","):
            for make in _MAKES[which]:
                found.append(f"{make} {name}")
                kinds.append(kind)
    return found, kinds


def titled(language: str) -> Shop:
    """A shop with titles in one language; its demand does not depend on the language."""
    texts, kinds = titles(language)

    def shop(rng: Rng, n: int, known: float) -> GeneratedOffers:
        c = common(rng, n, known)
        kind, count = np.asarray(kinds), len(texts)
        level = rng.normal(-1.5, 1.0, len(_KINDS))[kind] + rng.normal(0, 0.3, count)
        slope = np.exp(rng.normal(0.8, 0.45, len(_KINDS)))[kind] + rng.normal(0, 0.25, count)
        new = np.zeros(count, bool)
        for place in range(len(_KINDS)):
            new[rng.choice(np.flatnonzero(kind == place), _SOLD_LATER, replace=False)] = True
        later = c.later & (rng.random(n) < 0.5)
        product = np.where(later, rng.choice(np.flatnonzero(new), n), rng.choice(np.flatnonzero(~new), n))
        words = {"product": np.char.add("p", product.astype(str))}
        steep = np.maximum(0.4, slope)[product]
        described = {"titles": tuple(texts), "product": product, "new": new[product]}
        return offers_of(c, c.grid, words, lambda x: level[product] - steep * x, rng, **described)

    return shop


TITLED: Final[dict[str, Shop]] = {f"titles, {language}": titled(language) for language in LANGUAGES}
