"""Concepts mentioned in questions about prices, as English and Chinese keyword patterns."""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_WORDS: Final = {
    "why": r"\bwhy\b|how come|reason|rationale|explain|justif|what led|为什么|为何|怎么会|理由|原因|解释|凭什么|怎么回事",
    "not": r"\bnot\b|n't\b|instead|rather than|reject|turn(?:ed)? down|不是|不卖|没选|没有选|否决|没被|怎么不|为何不|落选",
    "should": r"\bshould|could(?:n't)? (?:it|we)|would(?:n't)? .* (?:better|mistake)|better|不应该|难道|会不会更好|不行吗",
    "amount": r"[$€£¥]\s?0|\b0\b|dollar|euro|cents|usd|元|块|美元|欧元",
    "percent": r"0 ?%|percent|per cent|百分之",
    "what_if": r"what if|suppose|imagine|assum|if (?:we|the|our|it|a|another|they|there|you|nobody|somebody|making)\b"
    r"|pretend|say\b|had (?:we|there|they)|were to|如果|假如|假设|要是|假装|假定|的话|会怎|会变|重新算|按.*算",
    "most": r"\bmost|biggest|largest|strongest|main|decisive|tipped|swung|single|top\b|最大|最重要|最多|关键|主要|决定性|最要紧",
    "factor": r"factor|driver|input|variable|influence|signal|feature|contribut|drives?|因素|变量|驱动|信号|影响|左右",
    "rule": r"\brules?\b|limit|constraint|guard ?rail|restriction|policy|polic|bound\b|bind|binding|capp?e?d?\b|ceiling|clip"
    r"|gateway|\bmap\b|advertised|rounding|规则|限制|约束|上限|封顶|规定|网关|广告价|取整|限价",
    "floor": r"\bfloor|minimum margin|lowest (?:allowed|permitted)|lower limit|lowest price allowed|below cost|底价|最低毛利"
    r"|下限|触底|最低许可|允许的最低",
    "stock": r"\bstock|inventor|warehouse|\bsupply\b|units left|pieces|shel(?:f|ves) (?:full|empty)|sold out|库存|存货|仓|货源"
    r"|缺货|断货|卖完|剩下?.{0,3}件|只剩",
    "rival": r"competit|\brivals?\b|undercut|other (?:shop|store|seller)|another (?:shop|store|seller|retailer)|amazon|discounter"
    r"|nobody else|next door|竞争|对手|竞品|同行|别家|其他卖家|别的|隔壁|零售商",
    "cost": r"\bcosts? (?:us|were|rose|to|of|price|increase)|our cost|unit cost|supplier|purchase price|wholesale|sourc|procure"
    r"|buy(?:ing)? it|to make|making it|成本|进价|采购|供应商|批发|进货|拿货|生产",
    "history": r"histor|bought (?:here|before|nothing)|never bought|first[- ]time|new (?:customer|shopper|buyer)|stranger|anonymous"
    r"|guest|logged in|unknown|know(?:n|ing)? (?:nothing|who)|without (?:knowing|an? (?:account|profile))|购买历史|新顾客"
    r"|第一次|陌生|匿名|没买过|购买记录|没登录|访客|不了解|一无所知|没有账号|买过",
    "person": r"shopper|customer|buyer|household|\buser\b|person|顾客|客户|买家|用户|家庭|消费者",
    "compare": r"compar|differ|difference|versus|\bvs\b|side by side|\btwo\b|apart|same (?:price|amount|deal|product)|另一位|比较|对比"
    r"|不同|不一样|区别|差别|差价|两位|两个|差在",
    "sure": r"\bsure|confiden|certain|trust|reliab|wrong|guess|error|uncertain|interval|likely|probab|chance|odds|evidence|bet\b"
    r"|solid|shaky|robust|把握|置信|可信|确定|可靠|误差|区间|概率|可能性|几率|靠谱|相信|猜",
    "similar": r"similar|alike|comparable|look-?alikes?|like (?:this|these|them|him|her)|resembl|same taste|neighbou?rs|peers|past cases"
    r"|相似|类似|可比|像他|同类|相近|差不多|这类|口味相同",
    "outcome": r"\bbought\b|\bbuy\b|purchas|accept|react|respond|sold|turn(?:ed)? out|end up|became of|happened|买了|成交|接受|反应"
    r"|结果|后来|最后",
    "time": r"history|month|weeks?\b|30[- ]day|trend|over time|earlier|before|recent|past|summer|spring|winter|autumn|stable|developed?"
    r"|ever\b|so far|历史|上个月|几周|走势|以前|之前|最近|曾|稳定|变化|曲线|天最低|几个月|夏天|春天|冬天|秋天",
    "moved": r"moved?\b|go up|went up|gone up|come down|changed?\b|rise|rose|fall|fell|dearer|cheaper than before|变化|涨|跌|变贵|变便宜",
    "personal": r"personal|individual|tailor|profil|\bdata\b|privacy|opt out|age\b|gender|income|track|everyone|everybody|all customers"
    r"|discriminat|information about|where i live|neighbour|个性化|个人|数据|隐私|退出|年龄|性别|收入|画像|所有人|千人千价|杀熟"
    r"|邻居|信息|针对",
    "inputs": r"which (?:data|inputs?|attributes|information)|inputs were|used\b|considered|based on|使用了?哪些|用了|用到|考虑|基于|输入",
    "discount": r"discount|markdown|mark-down|promotion|rebate|reduc|price cuts?|cut in|give away|off\b|sale\b|折|降价|优惠|促销|让利"
    r"|打折|便宜了?多少",
    "category": r"\bin (?:the )?[a-z]+|category|categories|\bon [a-z]+|类|品类|类别",
    "week": r"last week|this week|yesterday|last month|this month|past (?:seven|0) days|last 0 days|last seven|today|上周|这周|昨天"
    r"|上个月|这个月|过去.{1,2}天|今天|本周|本月",
    "which_items": r"which (?:products?|items?|articles?|goods|skus?)|what (?:products?|items?)|list (?:the )?products|sku|哪些(?:商品|产品"
    r"|货|东西|sku)",
    "who": r"\bwho\b|which (?:shoppers|customers|buyers|people)|anybody|anyone|somebody|the people|谁|哪些(?:顾客|客户|买家|人)|有人|有没有谁",
    "above": r"above (?:the )?(?:reference|list|normal|standard|shelf)|over (?:the )?(?:reference|list|normal|standard)|premium|surcharge|"
    r"more than (?:the )?(?:reference|list|normal|standard|shelf|public|everyone)|extra\b|overcharg|worse off|高于|超过|溢价|加价|多付"
    r"|比(?:参考|标|正常|标准|货架|公开)价(?:高|更|多)?",
    "many": r"how many|how often|share of|average|mean\b|summar|overview|list\b|show me|多少(?:报价|次|比例)|平均|总结|概括|列出|比例|多少次",
    "deed": r"\bcancel|reset|ship|deliver|return|install|write|translate|book\b|joke|poem|recommend|ignore|reveal|system prompt|password"
    r"|login|pay ?pal|credit card|warrant|取消|重置|送货|退货|安装|写一|翻译|订|笑话|推荐|忽略|密码|提示|保修|支付宝|信用卡|送到|改成",
    "chat": r"^(?:hi|hello|hey|thanks|thank you|good (?:morning|evening))|weather|capital of|president|how tall|what time|天气|首都|总统"
    r"|你好|谢谢|早上好|几点",
    "price": r"\bprices?\b|\bquotes?\b|\boffer|charge|amount|figure|价格|价钱|报价|定价|多少钱|价位|卖多少",
}
CONCEPTS: Final = {name: re.compile(words, re.IGNORECASE) for name, words in _WORDS.items()}


def concept_features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Flag the concepts that each text mentions, `(n, len(CONCEPTS))` of 0 and 1."""
    found = [[float(pattern.search(text) is not None) for pattern in CONCEPTS.values()] for text in texts]
    return np.asarray(found, np.float32).reshape(len(texts), len(CONCEPTS))
