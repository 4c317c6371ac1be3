"""A teacher of the Chinese domain: the double's answers by content, so that every method and gate meets Chinese text."""

import json
import re

from synth_assets.conversations import prompt_of
from synth_assets.domain_files import shipped_folder
from synth_assets.identity import digest
from synth_assets_tests.messages_api import Answer, Call

_FORMS = ("说说", "比较一下", "用三句话解释", "列一张清单介绍", "给老人讲讲", "判断对错并说明：", "写一段话介绍", "分两步说明")
_THINGS = (
    "阳台种葱怎样浇水", "旧毛衣缩水以后怎么补救", "地铁里手机信号为何忽强忽弱", "豆浆假沸是怎么回事",
    "合租时水电费怎样分摊", "清明前后适合吃的野菜", "晾在室内的衣服为什么有味", "公园长椅夏天烫手的道理",
    "面试以后怎样写感谢短信", "古人用什么办法给屋子降温", "电梯突然停住应当做些什么", "书页发黄跟光照有没有关系",
    "搬家纸箱如何编号最省事", "为什么雪天反而显得安静", "给新同事的第一封邮件", "茶垢用哪些东西擦得掉",
)  # fmt: skip
_REASONS = (
    "因为水分跑得比我们想的要快，纸和布都会告诉你。", "原因在于空气里总有看不见的细尘和湿气。",
    "道理并不复杂，热总是从暖处往凉处走。", "老人常说急不得，这里确实要等上一阵。",
    "关键是先看清楚材料，再决定用多大的力气。", "多数人忽略了时间，早晚的差别其实很大。",
    "先在不起眼的地方试一试，没有问题再动手。",
)  # fmt: skip
ANSWERS = {
    prompt_of(seed): seed["answer"]
    for seed in map(json.loads, (shipped_folder() / "zh_daily" / "seeds.jsonl").read_text(encoding="utf-8").splitlines())
    if "answer" in seed
}
"""Answers of the seeds that have one, by their prompts."""


def teacher(call: Call) -> Answer:
    """Answers in Chinese by what is asked, some of them bad on purpose."""
    system, text = str(call.body.get("system", "")), call.text
    number = int(digest({name: value for name, value in call.body.items() if name != "seed"})[:6], 16)
    if call.path.endswith("completion"):
        return Answer(f"{_THINGS[number % 16]}？我住在{number % 90 + 3}楼。")
    if "编写任务" in system:
        return Answer(f"{_FORMS[number % 8]}{_THINGS[number // 8 % 16]}，读者是{number % 60 + 6}岁的人。")
    if "说出任务需要什么" in system:
        return Answer(("分类", "输入", "完整")[number % 3])
    if "写例子" in system:
        first, second = ("输出", "输入") if "分类" in system else ("输入", "输出")
        return Answer("\n".join(f"{first}：{_THINGS[(number + n) % 16]}\n{second}：编号是{number % 89 + n}" for n in range(4)))
    if "改编任务" in system:
        task = text.removeprefix("任务：").rstrip("。？")
        return Answer(text if number % 5 == 0 else f"{task}，并且举{number % 7 + 2}个身边的例子，再指出其中最容易被忽略的一点。")
    if "比较两个任务" in system:
        return Answer("相同" if number % 6 == 0 else "不同")
    if "请解题" in system:
        known = ANSWERS.get(text, "7")
        return Answer(f"<think>\n先看清题目给的数，再一步一步算。\n</think>\n按题意列式计算即可。\n答案：{known if number % 3 else '31'}")
    if "审阅回答" in system:
        return Answer("回答只给了做法，没有说明理由。")
    if "改进回答" in system:
        return Answer(_response(text, number) + "这样做的理由是，材料受潮以后强度会下降一成左右。")
    if number % 11 == 0:
        return Answer("这个回答一直写下去", stop_reason="max_tokens")
    if number % 13 == 0:
        return Answer("抱歉，我无法回答这个问题。")
    return Answer(_response(text, number))


def _response(asked: str, number: int) -> str:
    """An answer that speaks of what was asked, or the reward model would tell that it does not."""
    about = "、".join(re.findall(r"[\u4e00-\u9fff]{2,8}", asked)[:3])
    first, second, third = _REASONS[number % 7], _REASONS[number // 7 % 7], _THINGS[number // 3 % 16]
    reasons = first if second == first else first + second
    return f"说到{about}，先说结论：可以办到，大约要{number % 53 + 2}分钟。{reasons}如果还想了解{third}，可以记下{number % 97}天的变化。"
