"""The embedding tier of decontamination: which share of reworded and of translated benchmark prompts it sends to review, and of clean rows.

    python bench/paraphrases.py [FOLDER]     a folder of data as for planted.py: every fourth of its prompts joins the items, and Alpaca's are the clean rows

Items, rewordings and translations are written for this measurement, by hand. A prompt counts as found when its nearest item is the one that it was
made of. The model reads English: that Chinese is not found is shown, not hidden. `review_cosine` was chosen by this table.
"""

import tempfile
from pathlib import Path

import numpy as np

from bench.measuring import alpaca, folder, items, print_table
from synth_assets.quality.decontamination import Item
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.similar_items import similar_items

CLEAN = 400
"""Alpaca prompts, evenly over all."""

LIMITS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85)

WORDINGS = (
    ("A baker sells 24 rolls in the morning and 15 in the afternoon for 2 dollars each. How much money does she take in that day?",
     "Rolls cost 2 dollars apiece at a bakery. If 24 are sold before noon and another 15 after it, what are the day's takings?",
     "一位面包师上午卖出24个面包卷，下午卖出15个，每个2美元。她那天一共收入多少钱？"),
    ("Tom is three times as old as his sister, who is 6. How old will Tom be in five years?",
     "A girl is 6 and her brother Tom has lived three times as long. What age does Tom reach five years from now?",
     "汤姆的年龄是他6岁妹妹的三倍。五年后汤姆几岁？"),
    ("A train covers 180 kilometres in two and a half hours. What is its average speed?",
     "How fast does a train go on average if it needs 2.5 hours for a distance of 180 km?",
     "一列火车两个半小时行驶180公里。它的平均速度是多少？"),
    ("A tank holds 300 litres and loses 4 litres every hour through a leak. After how many hours is it half empty?",
     "Through a hole, a 300-litre container drips away 4 litres an hour. When has it lost half of its content?",
     "一个水箱能装300升水，每小时漏掉4升。多少小时后它会剩下一半？"),
    ("Lena reads 12 pages each evening. How many evenings does she need for a book of 216 pages?",
     "A novel has 216 pages, and Lena gets through a dozen of them a night. How long does it take her to finish it?",
     "莉娜每天晚上读12页。一本216页的书她需要读几个晚上？"),
    ("Write a Python function that returns the second largest number in a list.",
     "Implement in Python: given a list of numbers, find the one that comes right after the maximum.",
     "写一个Python函数，返回列表中第二大的数。"),
    ("Write a function that checks whether a string reads the same forwards and backwards, ignoring spaces.",
     "Code a palindrome test for strings in which blanks do not count.",
     "写一个函数，检查一个字符串忽略空格后正读和反读是否相同。"),
    ("Given a list of intervals, merge all that overlap and return the result in order.",
     "Your input is several intervals. Unite the overlapping ones and give them back sorted.",
     "给定一组区间，合并所有重叠的区间，并按顺序返回结果。"),
    ("Write a function that counts how often each word occurs in a text and returns a dictionary.",
     "Build a dictionary of word frequencies from a given text, as a function.",
     "写一个函数，统计文本中每个单词出现的次数，并返回一个字典。"),
    ("Return the n-th Fibonacci number without using recursion.",
     "Compute the Fibonacci sequence's element at position n iteratively.",
     "不使用递归，返回第n个斐波那契数。"),
    ("Explain to a ten-year-old why the sky is blue.",
     "How would you tell a child of ten what makes the sky look blue?",
     "向一个十岁的孩子解释天空为什么是蓝色的。"),
    ("Compose a short travel blog post about a weekend in Lisbon, with tips on food and sights.",
     "Write a brief article for a travel blog on two days in Lisbon: what to see and where to eat.",
     "写一篇关于里斯本周末之旅的短篇旅行博客，介绍美食和景点。"),
    ("Describe the causes of the French Revolution in three paragraphs.",
     "In a text of three paragraphs, say what led to the revolution in France.",
     "用三段话描述法国大革命的原因。"),
    ("What are the advantages and disadvantages of working from home?",
     "Discuss the pros and cons of doing one's job remotely.",
     "在家工作有哪些优点和缺点？"),
    ("Draft an email to your manager asking for feedback on your quarterly report.",
     "Write a message in which you request your boss's opinion of the report you made for the quarter.",
     "给你的经理写一封邮件，请他对你的季度报告提出意见。"),
    ("How do vaccines train the immune system to recognise a virus?",
     "Explain the way in which vaccination teaches the body's defences to identify viruses.",
     "疫苗如何训练免疫系统识别病毒？"),
    ("Why does ice float on water?",
     "What is the reason that frozen water does not sink in liquid water?",
     "为什么冰会浮在水面上？"),
    ("Which planet of the solar system has the shortest year, and why?",
     "Say which planet orbits the sun in the least time, and what the reason is.",
     "太阳系中哪颗行星的一年最短，为什么？"),
    ("If all roses are flowers and some flowers fade quickly, does it follow that some roses fade quickly?",
     "Every rose is a flower. A few flowers wilt soon. May we conclude that a few roses wilt soon?",
     "如果所有玫瑰都是花，有些花很快凋谢，能否推出有些玫瑰很快凋谢？"),
    ("Suggest a healthy dinner for four that can be cooked in thirty minutes.",
     "What nutritious evening meal for a family of four takes half an hour to make?",
     "推荐一份三十分钟内能做好的四人健康晚餐。"),
)  # fmt: skip
"""Item, the same in other words, the same in Chinese."""


def main() -> None:
    benchmark = [Item("own", str(i), "prompt", item) for i, (item, _, _) in enumerate(WORDINGS)]
    if folder() is not None:
        benchmark += [item for item in items() if item.part == "prompt"][::4]
    rows = alpaca()
    clean = [prompt for _, prompt, _ in rows[:: len(rows) // CLEAN]] if folder() is not None else []
    asked = {"reworded": [wording for _, wording, _ in WORDINGS], "in Chinese": [translated for _, _, translated in WORDINGS], "clean": clean}
    with tempfile.TemporaryDirectory() as place:
        embedder = Embedder(Path(place) / "vectors.sqlite")
        targets = embedder.embed([item.text for item in benchmark])
        vectors = {kind: embedder.embed(prompts) for kind, prompts in asked.items() if prompts}
    table = []
    for least in LIMITS:
        shares = []
        for kind, found in vectors.items():
            hits = similar_items(benchmark, targets, [str(i) for i in range(len(found))], found, least)
            right = sum(kind == "clean" or (hit.benchmark, hit.item_id) == ("own", hit.row_id) for hit in hits)
            shares.append(f"{right / len(found):.2%}" if kind == "clean" else f"{right / len(found):.2f}")
        table.append((least, *shares))
    print_table(f"Prompts sent to review, {len(benchmark)} items", ("cosine from", *(f"{kind} ({len(v)})" for kind, v in vectors.items())), table)
    own = (vectors["reworded"] * targets[: len(WORDINGS)]).sum(axis=1)
    print("cosines of the rewordings, lowest first:", *(f"{cosine:.2f}" for cosine in np.sort(own)))


if __name__ == "__main__":
    main()
