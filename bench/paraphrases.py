"""The embedding tier of decontamination: which share of reworded and of translated benchmark prompts it sends to review, and of clean rows.

    python bench/paraphrases.py [FOLDER]     a folder of data as for planted.py: every fourth of its prompts joins the items, and Alpaca's are the clean rows

Items, rewordings and translations are written for this measurement, by hand. A prompt counts as found when its nearest item is the one that it was
made of. The model reads English; Chinese is compared by its gloss, and how it fares without one stands beside it. Clean are Alpaca's prompts against
all but the held-out items, and the translations against all but their own. `review_cosine` was chosen by the columns of the reworded and of Alpaca.
"""

import tempfile
from pathlib import Path

import numpy as np

from bench.measuring import alpaca, folder, items, print_table
from synth_assets.quality.decontamination import Item
from synth_assets.quality.embeddings import Embedder
from synth_assets.quality.similar_items import SimilarItems

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

TRANSLATIONS = (
    ("A farmer picks 48 apples and puts them into boxes of 6. He sells each box for 5 dollars. How much does he earn?",
     "一个农民摘了48个苹果，每6个装一箱，每箱卖5美元。他能赚多少钱？"),
    ("Maria has 120 dollars. She spends a quarter of it on books and half of the rest on a coat. How much is left?",
     "玛丽亚有120美元。她用四分之一买书，又用剩下的一半买了一件大衣。还剩多少钱？"),
    ("Two cyclists start from the same town in opposite directions, one at 15 km per hour, the other at 20. How far apart are they after 3 hours?",
     "两个骑自行车的人从同一个城镇出发，朝相反方向骑行，一个每小时15公里，另一个每小时20公里。3小时后他们相距多远？"),
    ("A classroom has 5 rows of 7 desks. If 4 desks are broken, how many students can sit down?",
     "一间教室有5排课桌，每排7张。如果有4张坏了，可以坐多少名学生？"),
    ("A shirt costs 40 euros and is reduced by 15 percent. What is the new price?",
     "一件衬衫原价40欧元，现在降价百分之十五。新的价格是多少？"),
    ("John works 8 hours a day, five days a week, and earns 18 dollars an hour. What does he earn in four weeks?",
     "约翰每天工作8小时，每周工作五天，每小时挣18美元。他四个星期能挣多少钱？"),
    ("The perimeter of a rectangle is 36 cm and its length is twice its width. Find its area.",
     "一个长方形的周长是36厘米，长是宽的两倍。求它的面积。"),
    ("Write a function that takes a list of words and returns the longest one.",
     "编写一个函数，接收一个单词列表，返回其中最长的单词。"),
    ("Check whether a given integer is a prime number.",
     "判断一个给定的整数是不是质数。"),
    ("Remove all vowels from a string.",
     "删除字符串中的所有元音字母。"),
    ("Given two sorted arrays, merge them into one sorted array.",
     "给你两个有序数组，把它们合并成一个有序数组。"),
    ("Compute the greatest common divisor of two integers.",
     "计算两个整数的最大公约数。"),
    ("Return True if all brackets in a string are properly closed.",
     "如果字符串中的所有括号都正确闭合，就返回True。"),
    ("Convert a temperature from Celsius to Fahrenheit.",
     "把温度从摄氏度转换成华氏度。"),
    ("Sort a list of students by their grades in descending order.",
     "把学生名单按成绩从高到低排序。"),
    ("Write a poem about autumn in the style of a Japanese haiku.",
     "写一首关于秋天的诗，用日本俳句的形式。"),
    ("What would happen if the Moon disappeared?",
     "如果月亮消失了，会发生什么？"),
    ("Summarize the plot of Romeo and Juliet in five sentences.",
     "用五句话概括《罗密欧与朱丽叶》的情节。"),
    ("Imagine you are a doctor. Advise a patient who cannot sleep.",
     "假设你是一名医生，请给一位失眠的病人提出建议。"),
    ("Explain the difference between a virus and a bacterium.",
     "解释病毒和细菌之间的区别。"),
    ("Plan a three-day trip to Beijing for a family with two children.",
     "为一个有两个孩子的家庭安排三天的北京旅行。"),
    ("Why do we have seasons on Earth?",
     "地球上为什么会有四季？"),
    ("Write a cover letter for a job as a kindergarten teacher.",
     "写一封应聘幼儿园老师的求职信。"),
    ("Compare electric cars with petrol cars with regard to cost and the environment.",
     "从成本和环保方面比较电动汽车和汽油车。"),
    ("How can a small shop attract more customers?",
     "一家小店怎样才能吸引更多顾客？"),
    ("Which is heavier: a kilogram of iron or a kilogram of feathers? Give your reason.",
     "一公斤铁和一公斤羽毛哪个更重？说明理由。"),
)  # fmt: skip
"""Item, the same in Chinese: written after the glosses were made, and not looked at for them."""


def main() -> None:
    own = [Item("own", str(i), "prompt", item) for i, item in enumerate([item for item, *_ in WORDINGS] + [item for item, _ in TRANSLATIONS])]
    others = [item for item in items() if item.part == "prompt"][::4] if folder() is not None else []
    rows = alpaca()
    reworded = {str(i): wording for i, (_, wording, _) in enumerate(WORDINGS)}
    chinese = {str(i): translated for i, (_, _, translated) in enumerate(WORDINGS)}
    held_out = {str(len(WORDINGS) + i): translated for i, (_, translated) in enumerate(TRANSLATIONS)}
    clean = {str(i): prompt for i, (_, prompt, *_) in enumerate(rows[:: len(rows) // CLEAN])} if folder() is not None else {}
    table = []
    with tempfile.TemporaryDirectory() as place:
        embed = Embedder(Path(place) / "vectors.sqlite").embed

        def found(prompts: dict[str, str], least: float, targets: list[Item] = own + others) -> float:
            hits = SimilarItems(targets, embed, least).hits(list(prompts.items()))
            return sum((hit.benchmark, hit.item_id) == ("own", hit.row_id) for hit in hits) / len(prompts)

        def told(prompts: dict[str, str], least: float, targets: list[Item]) -> float:
            return len(SimilarItems(targets, embed, least).hits(list(prompts.items()))) / max(len(prompts), 1)

        for least in LIMITS:
            shares = [found(prompts, least) for prompts in (reworded, chinese, held_out)]
            clean_shares = told(clean, least, own[: len(WORDINGS)] + others), told(chinese | held_out, least, others)
            table.append((least, *(f"{share:.2f}" for share in shares), *(f"{share:.2%}" for share in clean_shares)))
        unglossed = embed(list((chinese | held_out).values()))
        nearest = unglossed @ embed([item.text for item in own + others]).T
    heads = ("cosine from", f"reworded ({len(reworded)})", f"in Chinese ({len(chinese)})", f"in Chinese, held out ({len(held_out)})", f"clean ({len(clean)})")
    print_table(f"Prompts sent to review, {len(own + others)} items", (*heads, f"clean, Chinese ({len(chinese | held_out)})"), table)
    right = nearest.argmax(axis=1) == np.arange(len(unglossed))
    print(f"Chinese without glosses, at 0.65: {(right & (nearest.max(axis=1) >= 0.65)).mean():.2f} of {len(unglossed)}")


if __name__ == "__main__":
    main()
