"""Titles of 240 products of twelve kinds, in English and in Chinese, written for Pricesmith."""

from typing import Final

KINDS: Final = {
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
LANGUAGES: Final = ("English", "Chinese")


def titles(language: str) -> tuple[list[str], list[int]]:
    """Titles of the 240 products, and the number of the kind of each."""
    which = LANGUAGES.index(language)
    found, kinds = [], []
    for kind, names in enumerate(KINDS.values()):
        for name in names[which].split(","):
            for make in _MAKES[which]:
                found.append(f"{make} {name}")
                kinds.append(kind)
    return found, kinds
