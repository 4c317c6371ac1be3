-- As in synth_assets/review/reasons.py; a test compares the two.
with

reason_rules (reason, rule) as (

    select *
    from
        (
            values
            ('wrong', 'answer_wrong'),
            ('wrong', 'reward_floor'),
            ('unsafe', '(no rule)'),
            ('off_topic', 'reward_floor'),
            ('incomplete', 'max_tokens'),
            ('incomplete', 'response_too_short'),
            ('incomplete', 'reward_floor'),
            ('refusal', 'refusal'),
            ('repetitive', 'duplicate_lines'),
            ('repetitive', 'top_2gram'),
            ('repetitive', 'top_3gram'),
            ('repetitive', 'top_4gram'),
            ('repetitive', 'duplicate_10grams'),
            ('repetitive', 'repeated_paragraphs'),
            ('repetitive', 'repeated_sentences'),
            ('repetitive', 'repeated_in_a_row'),
            ('format', 'think_form'),
            ('format', 'scaffold_text'),
            ('format', 'boilerplate'),
            ('format', 'encoding_damage'),
            ('language', 'wrong_language'),
            ('contaminated', 'contaminated_exact'),
            ('contaminated', 'contaminated_contained'),
            ('contaminated', 'contaminated_coverage_8gram'),
            ('contaminated', 'contaminated_rare_13gram'),
            ('contaminated', 'contaminated_masked'),
            ('private_data', 'secret'),
            ('private_data', 'email_address'),
            ('private_data', 'phone_number'),
            ('private_data', 'payment_card'),
            ('private_data', 'iban'),
            ('private_data', 'identity_number'),
            ('private_data', 'ip_address'),
            ('other', '(no rule)'),
            ('worse_chosen', 'reward_margin'),
            ('equal', 'reward_margin')
        )

)

select * from reason_rules
